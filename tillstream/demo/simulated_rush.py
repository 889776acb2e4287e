"""A rush on one SKU, in a store that does not exist: no hour of the real receipts has five purchases of one SKU.

The store is called `simulated-` and the busiest store's id, so that its sales can be told from real ones wherever they
are shown: its receipts are that store's of the last days once more, under ids of their own, and after the last of them
comes the rush. What is real stays as it is, to the cent.
"""

from __future__ import annotations

from dataclasses import replace

import polars as pl

from tillstream.demo.simulated_stock import DAY, SIMULATED, Sale, Shelf

DAYS = 14
PURCHASES = 10
APART = pl.duration(minutes=5)


def rush(lines: pl.DataFrame, usual: Shelf) -> tuple[Shelf, pl.DataFrame]:
    """The shelf and the store's lines, for the rush on what sells best in the busiest store."""
    store = f"{SIMULATED}{usual.store_id}"
    begins = max(usual.opened_at, usual.ends_at - DAYS * DAY)
    again = lines.filter(
        (pl.col("store_id") == int(usual.store_id)) & (pl.col("transaction_timestamp").dt.epoch("us") >= begins)
    )
    again = _called(again, store, pl.col("basket_id").cast(pl.String))
    last = again["transaction_timestamp"].max()
    one = again.filter(pl.col("product_id") == int(usual.sku)).tail(1)
    assert len(one) == 1, "it is what sells best there"
    price = one["amount"] // one["quantity"]
    many = pl.concat([one] * PURCHASES).with_columns(
        pl.lit(1, pl.Int64).alias("quantity"),
        pl.lit(price[0], pl.Int64).alias("amount"),
        pl.lit(0, pl.Int64).alias("discount"),
        (pl.lit(last) + APART * (pl.int_range(pl.len()) + 1))
        .cast(again["transaction_timestamp"].dtype)
        .alias("transaction_timestamp"),
        pl.format(f"{SIMULATED}rush-{{}}", pl.int_range(pl.len()) + 1).alias("basket_id"),
    )
    everything = pl.concat([again, many])
    sales = (
        everything.filter(pl.col("product_id") == int(usual.sku))
        .group_by("basket_id", maintain_order=True)
        .agg(pl.col("transaction_timestamp").dt.epoch("us").first(), pl.col("quantity").sum())
    )
    bought = tuple(Sale(at, units) for _, at, units in sales.iter_rows())
    ends = bought[-1].occurred_at
    return replace(
        usual, store_id=store, part="rush", opened_at=begins, ends_at=ends, sales=bought, late=None
    ), everything


def _called(lines: pl.DataFrame, store: str, basket: pl.Expr) -> pl.DataFrame:
    return lines.with_columns(pl.lit(store).alias("store_id"), (pl.lit(SIMULATED) + basket).alias("basket_id"))
