"""`tillstream reconcile`: the proof that ClickHouse holds what the log says."""

from __future__ import annotations

import dataclasses
from datetime import UTC, datetime
from typing import Any

import typer

from tillstream import aio, console, logs
from tillstream import settings as settings_module
from tillstream.reconcile.run import Report
from tillstream.reconcile.run import reconcile as run
from tillstream.units import parse_duration


def register(app: typer.Typer) -> None:
    """Add the command."""

    @app.command("reconcile")
    def reconcile(
        wait: str = typer.Option("60s", "--wait", help="How long to wait until worker and sinks have passed the end."),
        as_json: bool = typer.Option(False, "--json", help="Print the report as JSON."),
    ) -> None:
        """Recompute every total from the Kafka topic by batch code and compare it with ClickHouse, row by row.

        Exits with 1 if there is a difference. Receipts that arrive meanwhile are listed as in flight.

        [bold]Examples[/]

          tillstream reconcile

          tillstream reconcile --wait 5m --json
        """
        logs.setup("reconcile")
        try:
            seconds = parse_duration(wait).total_seconds()
        except ValueError as fault:
            raise typer.BadParameter(str(fault), param_hint="--wait") from None
        with console.progress() as bar:
            report = aio.run(run(settings_module.load(), seconds, bar))
        if as_json:
            console.emit_json(dataclasses.asdict(report))
        else:
            show(report)
        raise typer.Exit(1 if report.different else 0)


def show(report: Report) -> None:
    """Print a report for people; the last line says how it went."""
    parts = " + ".join(f"{many:,} {result}" for result, many in report.counts.items())
    console.out.print(f"inputs: {report.inputs:,} = {parts}", soft_wrap=True)
    if report.in_flight:
        console.out.print(f"in flight: {report.in_flight:,} rows have changed since, and were not compared")
    if report.counts_in_flight:
        console.out.print(f"in flight: the counts of {report.counts_in_flight} partitions, which were not compared")
    if report.cut:
        start = datetime.fromtimestamp(report.compared_from / 1_000_000, UTC).isoformat().replace("+00:00", "Z")
        console.out.print(
            f"retention has taken the beginning of {report.cut} partitions: their counts, and windows before {start}, "
            "were not compared",
            soft_wrap=True,
        )
    if report.differences:
        rows = [
            (one.what, one.kind, _key(one.key), _figures(one.expected), _figures(one.found))
            for one in report.differences
        ]
        title = f"differences ({len(rows)} of {report.different:,} shown)"
        console.table(title, ["what", "kind", "row", "expected from the log", "found in ClickHouse"], rows)
    console.out.print(last_line(report))


def last_line(report: Report) -> str:
    """`reconciled: N rows, 0 differences`, or how many differ."""
    how = "NOT reconciled" if report.different else "reconciled"
    return f"{how}: {report.rows} rows, {report.different} differences"


def _key(key: dict[str, Any]) -> str:
    shown = dict(key)
    if "window_start" in shown:
        start = datetime.fromtimestamp(shown["window_start"] / 1_000_000, UTC)
        shown["window_start"] = start.isoformat().replace("+00:00", "Z")
    return " ".join(f"{name}={value}" for name, value in shown.items())


def _figures(figures: dict[str, Any] | None) -> str:
    return "—" if figures is None else " ".join(f"{name}={value}" for name, value in figures.items())
