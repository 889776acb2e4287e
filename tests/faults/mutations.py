"""F14: each rule taken away from a copy of the source, and what sees it.

`python -m tests.faults.mutations` (make mutations). Every check must pass on the copy as it is, and fail on the mutated
one. Where histories need not see a mutation they are run all the same, and the table says what came of it.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, NamedTuple

import typer
from rich.console import Console
from rich.progress import track
from rich.table import Table

from tests.faults.mutated import MUTATIONS, Edit, Mutation

REPOSITORY = Path(__file__).parents[2]
COPIED = ("kernel", "schemas", "streams", "sinks", "tillstream", "tests")
LONGEST = 1_800


class Seen(NamedTuple):
    """What saw a mutation: `history` the first that failed of those run (None: none did), and tests with their outcome.

    `wrong` says what should have failed and did not.
    """

    mutation: Mutation
    history: int | None
    histories: int
    failed: list[str]
    wrong: list[str]
    seconds: float


def apply(root: Path, edit: Edit) -> None:
    """Edit a file of a copy; raises ValueError unless the text stands there exactly once."""
    path = root / edit.path
    text = path.read_text("utf-8")
    times = text.count(edit.old)
    if times != 1:
        raise ValueError(f"{edit.path} has this {times} times, not once:\n{edit.old}")
    path.write_text(text.replace(edit.old, edit.new), "utf-8")


@contextmanager
def copied(edits: Sequence[Edit] = ()) -> Iterator[Path]:
    """A copy of the source tree, with edits."""
    with tempfile.TemporaryDirectory(prefix="mutated-") as name:
        root = Path(name)
        for folder in COPIED:
            shutil.copytree(REPOSITORY / folder, root / folder, ignore=shutil.ignore_patterns("__pycache__"))
        shutil.copy(REPOSITORY / "pyproject.toml", root)
        for edit in edits:
            apply(root, edit)
        if any(edit.path.startswith("kernel/") for edit in edits):
            subprocess.run([sys.executable, str(root / "kernel/build.py")], check=True, capture_output=True)
        yield root


def _python(root: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(root), "PYTHONDONTWRITEBYTECODE": "1"}
    command = [sys.executable, *arguments]
    return subprocess.run(
        command, cwd=root, env=environment, capture_output=True, text=True, timeout=LONGEST, check=False
    )


def simulate(root: Path, histories: int) -> tuple[int | None, int]:
    """(the first history that failed, how many were run) of a copy."""
    done = _python(root, "-m", "tests.simulation", "--histories", str(histories), "--jobs", "1", "--first", "--json")
    try:
        found = json.loads(done.stdout)
    except ValueError:
        raise RuntimeError(f"the simulation did not run: {done.stderr}") from None
    assert done.returncode == bool(found["failed"])
    return (found["histories"] if found["failed"] else None), found["histories"]


def fails(root: Path, test: str) -> bool:
    """Whether a test of a copy fails; raises RuntimeError where it did not run."""
    done = _python(root, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", "-p", "no:xdist", test)
    if done.returncode not in {0, 1}:
        raise RuntimeError(f"{test} did not run: {done.stdout}{done.stderr}")
    return done.returncode == 1


def prove(mutation: Mutation, histories: int, *, thorough: bool, faults: bool = False) -> Seen:
    """Run what must see a mutation.

    `thorough`: histories even where scripted tests see it, or where histories need not; else only what is quick.
    `faults`: the tests of whole processes too.
    """
    begun = time.monotonic()
    history, run, wrong = None, 0, []
    with copied(mutation.edits) as root:
        if thorough or not mutation.scripted:
            history, run = simulate(root, histories)
            if mutation.simulation and history is None:
                wrong.append(f"{run:,} histories")
        tests = (*mutation.scripted, *(mutation.faults if faults else ()))
        failed = [test for test in tests if fails(root, test)]
        wrong += [test for test in tests if test not in failed]
    return Seen(mutation, history, run, failed, wrong, time.monotonic() - begun)


def passes_unmutated(mutations: Sequence[Mutation], histories: int, *, faults: bool = False) -> list[str]:
    """What fails on a copy without a mutation: a check that always fails proves nothing."""
    with copied() as root:
        tests = sorted({test for one in mutations for test in (*one.scripted, *(one.faults if faults else ()))})
        wrong = [test for test in tests if fails(root, test)]
        if simulate(root, histories)[0] is not None:
            wrong.append("the simulation")
    return wrong


def prove_all(
    mutations: Sequence[Mutation], histories: int, jobs: int, *, thorough: bool, faults: bool = False
) -> Iterator[Seen]:
    """Prove several, so many at a time, in their order."""
    with ThreadPoolExecutor(jobs) as pool:
        yield from pool.map(lambda one: prove(one, histories, thorough=thorough, faults=faults), mutations)


def main(
    histories: Annotated[int, typer.Option(min=1, help="Histories within which a mutation must be seen.")] = 20_000,
    faults: Annotated[bool, typer.Option("--faults", help="Whole processes too: minutes for each mutation.")] = False,
    only: Annotated[str, typer.Option(help="Only mutations whose name holds this.")] = "",
    jobs: Annotated[int, typer.Option(min=1, help="Mutations at a time.")] = os.cpu_count() or 1,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object instead of a table.")] = False,
) -> None:
    """Take each rule away and show what sees it; the exit status is 1 where something does not."""
    out = Console(soft_wrap=True)
    shown = Console(stderr=True)
    chosen = [mutation for mutation in MUTATIONS if only in mutation.name]
    wrong = passes_unmutated(chosen, min(histories, 500), faults=faults)
    if wrong:
        shown.print(f"Without any mutation these fail: {', '.join(wrong)}", highlight=False)
        raise typer.Exit(1)
    proofs = prove_all(chosen, histories, jobs, thorough=True, faults=faults)
    quiet = as_json or not shown.is_terminal
    found = list(track(proofs, "mutations", len(chosen), console=shown, disable=quiet))
    if as_json:
        out.print_json(json.dumps([_plain(seen) for seen in found]))
    else:
        out.print(_table(found))
    unseen = [seen for seen in found if seen.wrong]
    for seen in unseen:
        shown.print(f"{seen.mutation.name}: not seen by {', '.join(seen.wrong)}", highlight=False)
    if not as_json:
        out.print(f"{len(found)} mutations, {len(unseen)} not seen by all that must", highlight=False)
    raise typer.Exit(1 if unseen else 0)


def _plain(seen: Seen) -> dict[str, object]:
    return {
        "mutation": seen.mutation.name,
        "files": sorted({edit.path for edit in seen.mutation.edits}),
        "first_failing_history": seen.history,
        "histories": seen.histories,
        "failed": seen.failed,
        "not_seen_by": seen.wrong,
        "note": seen.mutation.note,
        "seconds": round(seen.seconds, 1),
    }


def _table(found: Sequence[Seen]) -> Table:
    table = Table("mutation", "where", "history", "seen by", "s", box=None)
    for seen in found:
        files = ", ".join(sorted({edit.path for edit in seen.mutation.edits}))
        history = f"{seen.history:,}" if seen.history else f"none of {seen.histories:,}"
        tests = ", ".join(test.rpartition("/")[2] for test in seen.failed)
        what = " + ".join(filter(None, ["simulation" if seen.history else "", tests])) or "NOTHING"
        what += f" ({seen.mutation.note})" if seen.mutation.note else ""
        table.add_row(seen.mutation.name, files, history, what, f"{seen.seconds:.0f}")
    return table


if __name__ == "__main__":
    typer.run(main)
