"""`tillstream products`: load names for the SKUs, for queries and for alerts."""

from __future__ import annotations

import time

import typer

from tillstream import console, settings
from tillstream.products import load_products, read_products

_EXAMPLES = """
Load products (sku, name, department, category, brand; only sku must be there) into ClickHouse, and tell restock of
them, so that alerts bear names and the policies of a category hold.

The file is NDJSON, CSV or Parquet. Loading a SKU again replaces what was known of it; where nothing has changed, that
adds nothing to restock.feed.

Examples:

  tillstream products products.csv

  tillstream products products.parquet --json
"""


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(name="products", help=_EXAMPLES)(products)


def products(
    file: str = typer.Argument(..., help="NDJSON, CSV or Parquet; - for NDJSON from standard input."),
    as_json: bool = typer.Option(False, "--json", help="Print the summary as JSON."),
) -> None:
    """Load a file's products and print how many."""
    found = settings.load()
    begun = time.monotonic()
    with console.progress() as bar:
        task = bar.add_task("products", total=None, rate="")
        loaded = load_products(found, read_products(file), lambda rows: bar.advance(task, rows), bar)
    if as_json:
        seconds = round(time.monotonic() - begun, 3)
        console.emit_json({"products": loaded.products, "told": loaded.told, "seconds": seconds})
    else:
        console.out.print(f"loaded {loaded.products:,} products; told restock of {loaded.told:,} new or changed ones")
