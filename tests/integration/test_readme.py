"""Every command of README.md is run, in its order, as a newcomer would."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

import pytest

from tillstream.local.launch import free_port

pytestmark = pytest.mark.integration
ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text("utf-8")
BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)
SHELL = [line for kind, text in BLOCKS if kind == "sh" for line in text.splitlines()]
PYTHON = [text for kind, text in BLOCKS if kind == "python"]


@contextmanager
def up(environment):
    """`tillstream up` that has said `ready`."""
    process = subprocess.Popen(["tillstream", "up"], env=environment, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        yield
    finally:
        process.send_signal(signal.SIGINT)
        assert process.wait(10) == 0


def test_the_commands_of_the_readme_work_in_their_order(tmp_path):
    ports = {"9092": free_port(), "8123": free_port(), "9100": free_port()}
    environment = {
        **os.environ,
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "PYTHONPATH": str(ROOT),
        "TILLSTREAM_KAFKA_URL": f"kafka://127.0.0.1:{ports['9092']}",
        "TILLSTREAM_CLICKHOUSE_URL": f"http://127.0.0.1:{ports['8123']}/tillstream",
        "TILLSTREAM_METRICS_BIND": f"127.0.0.1:{ports['9100']}",
        "TILLSTREAM_DATA_DIR": str(tmp_path / "data"),
    }

    def run(argv, **more):
        done = subprocess.run(argv, env=environment, cwd=ROOT, capture_output=True, text=True, check=False, **more)
        assert done.returncode == 0, f"{argv}: {done.stdout}{done.stderr}"
        return done.stdout

    def moved(text):
        return re.sub(r"127\.0\.0\.1:(\d+)", lambda found: f"127.0.0.1:{ports[found[1]]}", text)

    commands = [line for line in SHELL if not line.startswith(("make ", "tillstream up"))]
    with up(environment):
        for text in PYTHON:
            run([sys.executable, "-c", moved(text)])
        said = {}
        for line in commands:
            if line.startswith("tillstream sql"):  # a person takes longer to type than a row to become readable
                run(["tillstream", "reconcile"])
            said[line] = run(["bash", "-c", moved(line)])
            while line == "tillstream alerts" and "7038010055720" not in said[line]:  # it takes a moment, likewise
                said[line] = run(["bash", "-c", moved(line)])
        count = json.loads(run(["tillstream", "reconcile", "--json"]))
    assert count["counts"] == {"folded": 7, "duplicate": 0, "late": 0, "rejected": 0, "ignored": 1}
    assert count["different"] == 0
    queried = next(text for line, text in said.items() if line.startswith("tillstream sql"))
    assert "7038010055720" in queried
    assert any(line.startswith("curl ") and "2026-11-23" in text for line, text in said.items())


def test_make_demo_and_make_test_are_the_first_commands():
    targets = [line.split("#")[0].strip() for line in SHELL[:2]]
    assert targets == ["make demo", "make test"]
    dry = subprocess.run(["make", "--dry-run", "demo", "test"], cwd=ROOT, capture_output=True, text=True, check=True)
    assert "tillstream demo" in dry.stdout
    assert "-m pytest" in dry.stdout


def test_every_file_that_the_pages_link_to_exists():
    for page in [*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")]:
        for target in re.findall(r"\]\((?!https?:)([^)#]+)", page.read_text("utf-8")):
            assert (page.parent / target).exists(), f"{page.name} links to {target}"
