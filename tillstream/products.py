"""Names for the SKUs, from a file or from the demo's data: into the table `products`, and into the feed of restock."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import NamedTuple

import msgspec
from clickhouse_connect.driver.client import Client
from clickhouse_connect.driver.exceptions import DatabaseError, OperationalError
from rich.progress import Progress

from schemas.errors import Stop, Unavailable
from schemas.feed import Known
from tillstream import aio, catalogue, ch, files
from tillstream.settings import Settings

_ROWS_A_BATCH = 20_000
_LONGEST_SKU = 128


class Product(NamedTuple):
    """A row of `products`. Only `sku` must be there; empty is unknown."""

    sku: str
    name: str = ""
    department: str = ""
    category: str = ""
    brand: str = ""


class _ProductMessage(msgspec.Struct):
    """A product in NDJSON."""

    sku: str
    name: str | None = None
    department: str | None = None
    category: str | None = None
    brand: str | None = None


def read_products(path: str | Path) -> Iterator[Product]:
    """Products of an NDJSON, CSV or Parquet file with the columns of the table; raises Stop, with the line."""
    found = _of_table(path) if files.is_table(path) else _of_ndjson(path)
    for line, product in found:
        if not 1 <= len(product.sku) <= _LONGEST_SKU:
            raise Stop(f"{path}, line {line}: sku must have 1 to {_LONGEST_SKU} characters.")
        yield product


class Loaded(NamedTuple):
    """How many products were loaded, and of how many of these restock was told, since it had not known them so."""

    products: int
    told: int


def load_products(
    settings: Settings,
    products: Iterable[Product],
    on_progress: Callable[[int], None] = lambda _: None,
    bar: Progress | None = None,
) -> Loaded:
    """Load products, the newest of a SKU holds. Raises Unavailable or Stop; what is cut off is finished by a repeat.

    `on_progress` is told how many rows more are in ClickHouse; `bar` shows what is done with the feed.
    """
    with ch.connect(settings) as client:
        known = aio.run(catalogue.held(settings, bar))
        told: list[tuple[str, Known]] = []
        count = 0
        for batch in _inserted(client, products):
            count += len(batch)
            on_progress(len(batch))
            told += ((one.sku, Known(*one[1:])) for one in batch)
    news = catalogue.news(known, told)
    aio.run(catalogue.publish(settings, news, bar))
    return Loaded(count, len(news))


def _inserted(client: Client, products: Iterable[Product]) -> Iterator[list[Product]]:
    """Insert products by the batch; gives each batch that is in."""
    rows = iter(products)
    try:
        while batch := list(islice(rows, _ROWS_A_BATCH)):
            client.insert("products", batch, column_names=list(Product._fields))
            yield batch
    except OperationalError as fault:
        raise Unavailable("ClickHouse", _first_line(fault)) from None
    except DatabaseError as fault:
        raise Stop(f"ClickHouse refuses the products: {_first_line(fault)}", "Run `tillstream migrate`.") from None


def _of_table(path: str | Path) -> Iterator[tuple[int, Product]]:
    with files.open_rows(path, Product._fields) as rows:
        rows.require(["sku"], str(path))
        positions = [rows.names.index(name) if name in rows.names else None for name in Product._fields]
        for line, cells in rows.cells:
            if len(cells) != len(rows.names):
                raise Stop(f"{path}, line {line}: {len(cells)} cells, the header has {len(rows.names)}.")
            yield line, Product(*("" if index is None else cells[index] or "" for index in positions))


def _of_ndjson(path: str | Path) -> Iterator[tuple[int, Product]]:
    decoder = msgspec.json.Decoder(_ProductMessage)
    for line, text in files.read_lines(path):
        try:
            found = decoder.decode(text)
        except msgspec.MsgspecError as fault:
            raise Stop(f"{path}, line {line}: {fault}", 'Write {"sku": "…", "name": "…"}, one a line.') from None
        yield line, Product(*(getattr(found, name) or "" for name in Product._fields))


def _first_line(fault: Exception) -> str:
    return str(fault).splitlines()[0][:200] if str(fault) else type(fault).__name__
