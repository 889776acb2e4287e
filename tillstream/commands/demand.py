"""`tillstream demand learn`: how SKUs sell in the stores that have them."""

from __future__ import annotations

import time

import typer

from schemas.errors import Stop
from tillstream import aio, catalogue, ch, console, settings
from tillstream.demand import rates, sold

_HELP = """
How SKUs sell in the stores that have them: what restock expects of a SKU in a store without sales of its own.

Examples:

  tillstream demand learn

  tillstream demand learn --check
"""
_LEARN = """
Learn from ClickHouse how often each SKU is bought in an average trading hour of the stores that sell it, and how many
units at a time; of a SKU without sales what its category's are. Restock is told of what differs by more than a tenth
from what it knows, and begins with it wherever a SKU has sold nothing yet.

Run it once there are some weeks of sales, and again now and then; `tillstream products` has the categories.

Examples:

  tillstream demand learn

  tillstream demand learn --days 28 --json

  tillstream demand learn --check
"""
_DAYS = 56


def register(app: typer.Typer) -> None:
    """Add the commands."""
    group = typer.Typer(name="demand", help=_HELP, no_args_is_help=True)
    group.command(name="learn", help=_LEARN)(learn)
    app.add_typer(group)


def learn(
    days: int = typer.Option(_DAYS, min=1, max=3660, help="So many days up to the newest receipt."),
    check: bool = typer.Option(False, "--check", help="Learn only, and tell restock nothing."),
    as_json: bool = typer.Option(False, "--json", help="Print the summary as JSON."),
) -> None:
    """Learn, and tell restock."""
    ours = settings.load()
    begun = time.monotonic()
    with console.progress() as bar, ch.answering():
        with ch.connect(ours) as client:
            period = sold.read(client, days, *console.steps(bar, "stores"))
            if not period.sold:
                raise Stop("ClickHouse has no sales yet to learn from.", "`tillstream status` tells what there is.")
            found = rates.learned(period.sold, sold.categories(client))
        known = aio.run(catalogue.held(ours, bar))
        news = {sku: one for sku, one in found.items() if rates.worth_telling(known.get(sku), one)}
        partitions = 0 if check else aio.run(catalogue.publish(ours, news, bar))
    if as_json:
        console.emit_json(
            {
                "since": period.since,
                "until": period.until,
                "stores": period.stores,
                "skus": len(found),
                "sold": len(period.sold),
                "different": len(news),
                "partitions": partitions,
                "seconds": round(time.monotonic() - begun, 3),
            }
        )
        return
    console.out.print(
        f"learned how {len(found):,} SKUs sell, {len(period.sold):,} by their own sales, "
        f"from {period.stores:,} stores, {period.since:%Y-%m-%d} to {period.until:%Y-%m-%d}"
    )
    what = "would tell" if check else "told"
    console.out.print(f"{what} restock of {len(news):,} that are new to it or differ by more than a tenth")
