"""What a contest found: as JSON, in the terminal, in docs/performance.md and as a chart."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from rich.table import Table

from lib import broker, chart, figures, machine, page, render
from lib.entries import KAFKA_STREAMS, TEXTBOOK
from lib.race import Run
from lib.rounds import Course, Runs
from tillstream import console

RIVALS = (KAFKA_STREAMS, TEXTBOOK)
PICTURE = page.PAGE.parent / "throughput.svg"


def document(runs: Runs, course: Course, when: datetime, load: float) -> dict[str, Any]:
    """Everything that was measured, and on what; `load` is the machine's before the contest began."""
    results = figures.results(runs, RIVALS)
    return {
        "measured": when.strftime("%Y-%m-%d"),
        "machine": machine.machine(),
        "load_before": round(load, 1),
        "broker": broker.NAMES[course.broker],
        "partitions": course.partitions,
        "contestants": {
            result.name: {
                "rates": [run.rate for run in runs[result.name]],
                "result": dataclasses.asdict(result),
                "runs": [dataclasses.asdict(run) for run in runs[result.name]],
            }
            for result in results
        },
    }


def runs_of(found: dict[str, Any]) -> Runs:
    """The runs of a document, back from JSON."""
    return {name: [Run(**run) for run in one["runs"]] for name, one in found["contestants"].items()}


def conditions(found: dict[str, Any], results: Sequence[figures.Result]) -> str:
    """When, on what, how often: the sentence without which an absolute figure says nothing."""
    rounds = min(result.rounds for result in results)
    busy = f" Other work had the machine as well (load {found['load_before']})." if found["load_before"] > 1 else ""
    return (
        f"Measured {found['measured']} on {found['machine']}, with {found['broker']} on the same cores, "
        f"{found['partitions']} partitions, {rounds} round{'s' if rounds > 1 else ''} in alternation.{busy}"
    )


def show(found: dict[str, Any], results: Sequence[figures.Result]) -> None:
    """A table in the terminal."""
    head, *rows = render.cells(results, RIVALS)
    table = Table(title="lines/s until everything is durable and committed", title_justify="left")
    for at, column in enumerate(head):
        table.add_column(column, justify="right" if at else "left")
    for row in rows:
        table.add_row(*row)
    console.out.print(table)
    console.out.print(conditions(found, results), soft_wrap=True)


def write(found: dict[str, Any], results: Sequence[figures.Result]) -> None:
    """The table between its marks in docs/performance.md, and the chart beside it."""
    text = f"{conditions(found, results)}\n\n![lines per second]({PICTURE.name})"
    page.write("throughput", f"{render.markdown(render.cells(results, RIVALS))}\n\n{text}")
    chart.draw(results, KAFKA_STREAMS, PICTURE)
