"""Peers' libraries, fetched once into `.kafka` and `.bench` beside the sources: none becomes ours to install.

Each function gives what it has fetched, or None where this machine lacks the program that fetches it. A folder holds
the hash of what it was made from, so that a changed version or program is fetched or compiled anew.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from rich.console import Console

ROOT = Path(__file__).resolve().parents[2]
PEERS = ROOT / "bench" / "peers"
CACHE = ROOT / ".bench"
NO_JAVA = "needs Java 17 and Maven (java, mvn), which are not on the PATH"
note = Console(stderr=True)


def _once(folder: Path, sources: list[Path], what: str, make: Callable[[], None]) -> None:
    """Make `folder` unless it was made from the very same sources."""
    mark = hashlib.sha256(b"".join(source.read_bytes() for source in sources)).hexdigest()
    done = folder / ".made-from"
    if done.exists() and done.read_text() == mark:
        return
    note.print(f"Fetching {what} into {folder.relative_to(ROOT)}, once.")
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    make()
    done.write_text(mark)


def _jars(pom: Path, into: Path) -> None:
    subprocess.run(
        ["mvn", "-q", "-B", "-f", pom, "dependency:copy-dependencies", f"-DoutputDirectory={into}"],
        check=True, stdout=sys.stderr,
    )  # fmt: skip


def kafka() -> Path | None:
    """The jars of Apache Kafka's broker, where `make test-kafka` has them too."""
    given = os.environ.get("TEST_KAFKA_LIBS")
    libs = Path(given) if given else ROOT / ".kafka" / "libs"
    if any(libs.glob("kafka_2.13-*.jar")):
        return libs
    if given or not shutil.which("mvn"):
        return None
    note.print("Fetching Apache Kafka into .kafka, once.")
    _jars(ROOT / "tests" / "kafka" / "pom.xml", libs)
    (libs.parent / ".fetched").touch()
    return libs


def java_program(name: str) -> str | None:
    """The class path of a peer written in Java: its libraries, and what javac makes of its sources."""
    if not all(shutil.which(program) for program in ("java", "javac", "mvn")):
        return None
    source, folder = PEERS / name, CACHE / name
    libs, classes = folder / "libs", folder / "classes"
    programs = sorted(source.glob("*.java"))

    def make() -> None:
        _jars(source / "pom.xml", libs)
        subprocess.run(["javac", "-cp", f"{libs}/*", "-d", classes, *programs], check=True, stdout=sys.stderr)

    _once(folder, [source / "pom.xml", *programs], name.replace("_", " "), make)
    return f"{libs}/*{os.pathsep}{classes}"


def quix() -> Path:
    """The Python of a virtual environment that holds Quix Streams, by its own lock file."""
    lock, folder = PEERS / "quix" / "requirements.lock", CACHE / "quix"
    python = folder / "bin" / "python"

    def make() -> None:
        subprocess.run([sys.executable, "-m", "venv", folder], check=True)
        subprocess.run(
            [python, "-m", "pip", "--disable-pip-version-check", "--no-input", "--quiet", "install",
             "--require-hashes", "--no-deps", "-r", lock],
            check=True, stdout=sys.stderr,
        )  # fmt: skip

    _once(folder, [lock], "Quix Streams", make)
    return python
