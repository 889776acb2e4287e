"""`python -m tests.simulation`: seeded histories of the product's fold, flush, restore and sinks, against an oracle."""

from __future__ import annotations

import json
import os
import time
from collections import Counter
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.table import Table

from tests.simulation.failures import Failure
from tests.simulation.run import Batch, run_all

MOST_FAILED = 20


def main(
    histories: Annotated[int, typer.Option(min=1, help="How many to run.")] = 100_000,
    seed: Annotated[int, typer.Option(help="The first seed; the next ones follow.")] = 0,
    jobs: Annotated[int, typer.Option(min=1, help="Processes.")] = os.cpu_count() or 1,
    first: Annotated[bool, typer.Option("--first", help="End at the first failure, without shrinking it.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object instead of text.")] = False,
) -> None:
    """Run histories; the exit status is 1 where one of them ends in a difference."""
    out, shown = Console(soft_wrap=True), Console(stderr=True)
    begun = time.monotonic()
    seen: Counter[str] = Counter()
    failed: list[int] = []
    failures: list[Failure] = []
    done = 0
    columns = (
        TextColumn("histories"), BarColumn(), MofNCompleteColumn(), TextColumn("failed {task.fields[failed]}"),
        TimeElapsedColumn(), TimeRemainingColumn(),
    )  # fmt: skip
    with Progress(*columns, console=shown, disable=as_json or not shown.is_terminal) as progress:
        task = progress.add_task("", total=histories, failed=0)
        batch: Batch
        for batch in run_all(histories, seed, jobs, shrink=not first):
            done += batch.histories
            seen += batch.seen
            failed += batch.failed
            failures += [batch.failure] if batch.failure else []
            progress.update(task, completed=done, failed=len(failed))
            if len(failed) >= (1 if first else MOST_FAILED):
                break
    failures.sort(key=lambda failure: len(failure.events))
    seconds = time.monotonic() - begun
    if as_json:
        out.print_json(
            json.dumps(
                {
                    "histories": done,
                    "first_seed": seed,
                    "failed": sorted(failed),
                    "seconds": round(seconds, 1),
                    "happened": dict(sorted(seen.items())),
                    "failures": [failure._asdict() for failure in failures],
                }
            )
        )
    else:
        _show(out, done, failed, failures, seen, seconds)
    raise typer.Exit(1 if failed else 0)


def _show(
    out: Console, done: int, failed: list[int], failures: list[Failure], seen: Counter[str], seconds: float
) -> None:
    table = Table("what happened", "times", box=None)
    table.columns[1].justify = "right"
    for name, times in sorted(seen.items(), key=lambda one: -one[1]):
        table.add_row(name, f"{times:,}")
    out.print(table)
    if failures:
        out.print(failures[0].text(), markup=False, highlight=False)
        out.print(f"Failed: {', '.join(map(str, sorted(failed)))}", markup=False, highlight=False)
    out.print(f"{done:,} histories in {seconds:.1f} s ({done / seconds:.0f}/s): {len(failed)} failed", highlight=False)


if __name__ == "__main__":
    typer.run(main)
