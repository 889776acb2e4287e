"""The repository's outside: what a fresh clone relies on before any of our code runs."""

from __future__ import annotations

import re
import subprocess
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
LOCKS = ["requirements.lock", "deploy/requirements.lock", "bench/peers/quix/requirements.lock"]


def text(lock: str) -> str:
    return (ROOT / lock).read_text("utf-8")


def locked(lock: str = "requirements.lock") -> dict[str, list[str]]:
    """The versions of each package in a lock file, one for each environment marker."""
    versions: dict[str, list[str]] = {}
    for name, version in re.findall(r"^([a-z0-9][a-z0-9.-]*)==([^\s;]+)", text(lock), re.MULTILINE):
        versions.setdefault(name, []).append(version)
    return versions


def normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def declared() -> list[str]:
    groups = PROJECT["dependency-groups"]
    return PROJECT["project"]["dependencies"] + groups["build"] + [x for x in groups["dev"] if isinstance(x, str)]


@pytest.mark.parametrize("line", declared())
def test_every_dependency_is_locked_at_a_version_that_it_allows(line):
    wanted = Requirement(line)
    versions = locked().get(normal(wanted.name), [])
    assert versions, f"{wanted.name} is not in requirements.lock: run `make lock`"
    for version in versions:
        assert wanted.specifier.contains(version, prereleases=True), f"{line} is locked at {version}: run `make lock`"


def test_the_build_tools_are_locked_so_that_an_editable_install_fetches_nothing():
    for name in ["hatchling", "editables"]:
        assert name in locked()


def test_the_image_installs_what_the_tests_ran_with():
    everything, image = locked(), locked("deploy/requirements.lock")
    assert {name: everything.get(name) for name in image} == image
    for line in PROJECT["project"]["dependencies"]:
        assert normal(Requirement(line).name) in image


@pytest.mark.parametrize("lock", LOCKS)
def test_a_lock_names_no_host_and_no_path(lock):
    kept = re.compile(
        r"#.*|    --hash=sha256:[0-9a-f]{64}( \\)?|[a-z0-9.-]+==[^\s;]+( ; [a-zA-Z0-9_.'<>=! ()]+)?( \\)?"
    )
    strange = [line for line in text(lock).splitlines() if line and not kept.fullmatch(line)]
    assert strange == []
    assert "//" not in text(lock)


def test_what_only_peers_need_is_no_dependency_of_ours():
    assert "quixstreams" in locked("bench/peers/quix/requirements.lock")
    assert "quixstreams" not in locked()


@pytest.mark.parametrize("lock", LOCKS)
def test_every_locked_version_has_a_hash(lock):
    for found in re.finditer(r"^[a-z0-9][^\n]*==[^\n]*\n(?P<next>[^\n]*)", text(lock), re.MULTILINE):
        assert found["next"].startswith("    --hash=sha256:")


def test_make_without_a_target_lists_every_target():
    shown = subprocess.run(["make"], cwd=ROOT, check=True, capture_output=True, text=True).stdout
    phony = re.search(r"^\.PHONY: (.*)$", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE)
    assert phony is not None
    for target in phony[1].split():
        assert f"make {target} " in shown


def test_an_old_python_is_refused_with_a_sentence(tmp_path):
    for file in ["Makefile", "requirements.lock", "pyproject.toml"]:
        (tmp_path / file).write_bytes((ROOT / file).read_bytes())
    old = tmp_path / "python3.9"
    old.write_text('#!/bin/sh\n[ "$1" = -V ] && echo "Python 3.9.2" && exit 0\nexit 1\n')
    old.chmod(0o755)
    run = subprocess.run(["make", "demo", f"PYTHON={old}"], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert run.returncode != 0
    assert f"tillstream needs Python 3.11 or newer; '{old}' is Python 3.9.2." in run.stdout
    assert not (tmp_path / ".venv").exists()


def test_nothing_under_version_control_names_the_machine_it_was_written_on():
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, check=True, capture_output=True, text=True).stdout
    private = re.compile("/" + "work/|/" + r"root/|\.\./" + "shared|extra-" + "index")
    for name in filter(None, listed.split("\0")):
        file = ROOT / name
        if file.is_file() and file.suffix not in {".lock", ".png", ".parquet"}:
            found = private.search(file.read_text("utf-8", errors="replace"))
            assert found is None, f"{name}: {found and found[0]}"
