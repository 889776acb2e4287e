"""`tillstream stock`: publish stock movements from a file, or only check them."""

from __future__ import annotations

import time

import typer

from schemas.topics import STOCK
from tillstream import aio, console, settings
from tillstream.file_movements import checked, read_movements
from tillstream.replay import publish
from tillstream.sources import FileSource

_SHOWN = 20

_EXAMPLES = """
Publish stock movements (counts, deliveries, adjustments, transfers, orders) to stock.movements, each acknowledged by
Kafka before it is counted.

Reads NDJSON (.ndjson, .jsonl, .json), CSV and Parquet with the fields as columns; .gz and .zst too; - is NDJSON from
standard input. A movement that could not be taken up is listed with its line, path and reason, and the others go on;
the command then ends with 1. Publishing one twice is safe: its movement_id counts once.

Examples:

  tillstream stock counts.csv

  tillstream stock deliveries.ndjson.gz --json

  tillstream stock counts.csv --check

  gen-movements | tillstream stock -
"""


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(name="stock", help=_EXAMPLES)(stock)


def stock(
    file: str = typer.Argument(..., help="NDJSON, CSV or Parquet; - for NDJSON from standard input."),
    check: bool = typer.Option(False, "--check", help="Check only, and send nothing."),
    as_json: bool = typer.Option(False, "--json", help="Print the summary as JSON."),
) -> None:
    """Publish a file's movements and print what happened."""
    source = FileSource(file, check=checked, read=read_movements)
    begun = time.monotonic()
    valid = _pass(source, None if check else settings.load())
    if as_json:
        console.emit_json(
            {
                "file": file,
                "sent": 0 if check else valid,
                "valid": valid,
                "refused": source.refused,
                "refusals": [refusal._asdict() for refusal in source.refusals],
                "seconds": round(time.monotonic() - begun, 3),
            }
        )
    else:
        _tell(file, valid, source, sent=not check)
    raise typer.Exit(1 if source.refused else 0)


def _pass(source: FileSource, ours: settings.Settings | None) -> int:
    """Send what is valid, or only look at it where there are no settings; gives how many movements that are."""
    with console.progress() as bar:
        task = bar.add_task("checking" if ours is None else "movements", total=None, rate="")

        def passed(many: int) -> None:
            bar.advance(task, many)

        if ours is not None:
            sent = publish(ours, source, topic=STOCK, on_progress=passed, on_wait=bar.console.print)
            return aio.run(sent).receipts
        valid = 0
        for _ in source:
            valid += 1
            passed(1)
        return valid


def _tell(file: str, valid: int, source: FileSource, *, sent: bool) -> None:
    if source.refusals:
        rows = [(one.line, one.path, one.reason, one.hint) for one in source.refusals[:_SHOWN]]
        console.table(f"refused in {file}", ("line", "path", "reason", "hint"), rows, right=("line",))
        if source.refused > _SHOWN:
            console.note(f"and {source.refused - _SHOWN:,} more: --json lists up to {len(source.refusals):,}")
    what = "published" if sent else "valid"
    console.out.print(f"{what}: {valid:,} movements" + (f"; refused: {source.refused:,}" if source.refused else ""))
