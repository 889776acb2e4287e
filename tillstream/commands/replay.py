"""`tillstream replay`: publish receipts from the demo's data or from a file."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable, Iterator

import typer

from schemas.errors import Stop, Unavailable
from tillstream import console, settings
from tillstream.local import demo_data
from tillstream.outgoing import Outgoing
from tillstream.products import load_products
from tillstream.replay import Published, publish
from tillstream.sources import FileSource

COMPLETE_JOURNEY = "complete-journey"
_SHOWN = 20

_EXAMPLES = """
Publish receipts to pos.receipts, each acknowledged by Kafka before it is counted.

A file's receipts are checked first: one that could not be counted is listed with its line, path and reason, and the
others go on; the command then ends with 1. Publishing a receipt twice is safe: it counts once.

Examples:

  tillstream replay complete-journey

  tillstream replay complete-journey --speed 3600 --limit 1000

  tillstream replay receipts.ndjson.zst

  tillstream replay lines.csv --json

  gen-receipts | tillstream replay -
"""


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(name="replay", help=_EXAMPLES)(replay)


def replay(
    source: str = typer.Argument(..., help="complete-journey, a file (NDJSON, CSV, Parquet), or - for NDJSON here."),
    speed: str = typer.Option("max", help="Times real time, by the receipts' own times, or max."),
    limit: int | None = typer.Option(None, min=0, help="Publish at most so many receipts."),
    unchecked: bool = typer.Option(False, "--unchecked", help="Publish a file's receipts without checking them."),
    no_products: bool = typer.Option(False, "--no-products", help="Load no names of products."),
    as_json: bool = typer.Option(False, "--json", help="Print the summary as JSON."),
) -> None:
    """Publish receipts and print what happened."""
    times = _speed(speed)
    found = settings.load()
    file = None if source == COMPLETE_JOURNEY else FileSource(source, unchecked, limit)
    if file is None and not no_products:
        _load_products(found)
    receipts: Iterable[Outgoing] = demo_data.receipts(limit) if file is None else file
    total = min(demo_data.RECEIPTS, demo_data.RECEIPTS if limit is None else limit) if file is None else None
    published = _publish(found, receipts, times, total)
    _summarise(source, published, file, as_json)
    if file is not None and file.refused:
        raise typer.Exit(1)


def _speed(text: str) -> float | None:
    if text == "max":
        return None
    try:
        speed = float(text)
    except ValueError:
        speed = 0.0
    if not 0 < speed < float("inf"):
        raise typer.BadParameter("give a number above 0 (60 makes an hour a minute), or max", param_hint="--speed")
    return speed


def _load_products(found: settings.Settings) -> None:
    try:
        with console.progress() as bar:
            task = bar.add_task("products", total=demo_data.PRODUCTS, rate="")
            load_products(found, demo_data.products(), lambda rows: bar.advance(task, rows), bar)
    except Unavailable as away:
        raise Stop(str(away), "Start it (`tillstream up`), or say --no-products.") from None


def _publish(
    found: settings.Settings, receipts: Iterable[Outgoing], speed: float | None, total: int | None
) -> Published:
    with console.progress() as bar:
        task = bar.add_task("receipts", total=total, rate="")
        begun = time.monotonic()
        lines = 0

        def counted() -> Iterator[Outgoing]:
            nonlocal lines
            for receipt in receipts:
                lines += receipt.lines
                yield receipt

        def acknowledged(count: int) -> None:
            rate = lines / max(time.monotonic() - begun, 0.001)
            bar.update(task, advance=count, rate=f"{rate:,.0f} lines/s")

        return asyncio.run(publish(found, counted(), speed=speed, on_progress=acknowledged, on_wait=bar.console.print))


def _summarise(source: str, published: Published, file: FileSource | None, as_json: bool) -> None:
    refused = 0 if file is None else file.refused
    refusals = [] if file is None else file.refusals
    if as_json:
        console.emit_json(
            {
                "source": source,
                "receipts": published.receipts,
                "lines": published.lines,
                "seconds": round(published.seconds, 3),
                "refused": refused,
                "refusals": [refusal._asdict() for refusal in refusals],
            }
        )
        return
    console.out.print(
        f"published {published.receipts:,} receipts, {published.lines:,} lines in {published.seconds:.1f} s"
        + (f"; refused {refused:,}" if refused else "")
    )
    if refusals:
        rows = [(refusal.line, refusal.path, refusal.reason) for refusal in refusals[:_SHOWN]]
        console.table(f"refused in {source}", ("line", "path", "reason"), rows, right=("line",))
        if refused > _SHOWN:
            console.note(f"and {refused - _SHOWN:,} more: --json lists up to {len(refusals):,}")
        console.note("hint: mend these and replay the file again; what was published already counts once")
