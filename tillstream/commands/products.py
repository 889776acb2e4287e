"""`tillstream products`: load names for the SKUs."""

from __future__ import annotations

import time

import typer

from tillstream import console, settings
from tillstream.products import load_products, read_products

_EXAMPLES = """
Load products (sku, name, department, category, brand; only sku must be there) into ClickHouse.

The file is NDJSON, CSV or Parquet. Loading a SKU again replaces its row.

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
        count = load_products(found, read_products(file), lambda rows: bar.advance(task, rows))
    if as_json:
        console.emit_json({"products": count, "seconds": round(time.monotonic() - begun, 3)})
    else:
        console.out.print(f"loaded {count:,} products")
