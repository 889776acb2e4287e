"""Which shelves of the receipts get simulated stock: the busiest stores and what sells best there, by the data."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Callable, Sequence
from dataclasses import replace

import polars as pl

from tillstream.demo.simulated_stock import DAY, HOUR, WEEK, Part, Sale, Shelf, next_morning

STORES = 5
SKUS_A_STORE = 8
# Stock is simulated for so long before the last receipt, and for half of all days where there are few; receipts of
# fewer days than so many show nothing.
LONGEST = 8 * WEEK
SHORTEST = 2 * WEEK
# More units a purchase is fuel, which stands in no shelf.
MOST_A_PURCHASE = 20
# -ln of the probability of a silence that is worth to be shown: beyond streams.restock's 1e-4, which is 9.2, since
# customers come less evenly than dice fall.
SILENT = 11.0
# What is bought less often is no best seller, and its silences mean nothing: most pairs of store and SKU.
FEWEST_PURCHASES = 4
# A shelf that is shown to sell out must have sold something.
FEWEST_SOLD = 5
FEWEST_BEFORE_LATE = 2
# The pause in which nobody misses a delivery: from before it was due until so long after.
LATE_BY = DAY + 4 * HOUR

_Sales = dict[tuple[str, str], tuple[Sale, ...]]


class Busy:
    """The busiest stores: when each has receipts, and each sale of each SKU, by time."""

    def __init__(self, lines: pl.DataFrame) -> None:
        by_time = pl.col("transaction_timestamp").dt.epoch("us")
        receipts = lines.group_by("basket_id").agg(
            pl.col("store_id").first().cast(pl.String), by_time.first().alias("at")
        )
        ranked = receipts.group_by("store_id").len().sort("len", "store_id", descending=[True, False])
        self.stores: list[str] = ranked["store_id"].head(STORES).to_list()
        self.first = int(receipts["at"].min() or 0)  # type: ignore[arg-type]  # integers
        self.last = int(receipts["at"].max() or 0)  # type: ignore[arg-type]
        mine = receipts.filter(pl.col("store_id").is_in(self.stores)).sort("at")
        self.receipts = {store: mine.filter(pl.col("store_id") == store)["at"].to_list() for store in self.stores}
        self.sales: _Sales = {}
        purchases = (
            lines.filter(pl.col("store_id").cast(pl.String).is_in(self.stores))
            .group_by("store_id", "product_id", "basket_id", maintain_order=True)
            .agg(by_time.first().alias("at"), pl.col("quantity").sum())
            .group_by("store_id", "product_id")
            .agg(pl.col("at", "quantity").sort_by("at"))
            .filter(pl.col("at").list.len() >= FEWEST_PURCHASES)
        )
        for store, sku, moments, units in purchases.iter_rows():
            sales = tuple(Sale(at, many) for at, many in zip(moments, units, strict=True) if many > 0)
            if sales and sum(sale.units for sale in sales) <= MOST_A_PURCHASE * len(sales):
                self.sales[str(store), str(sku)] = sales

    def best_sellers(self, store: str, many: int) -> list[str]:
        """What most receipts of a store have."""
        skus = sorted((-len(sales), sku) for (where, sku), sales in self.sales.items() if where == store)
        return [sku for _, sku in skus[:many]]


def choose(lines: pl.DataFrame) -> list[Shelf]:
    """The shelves and what happens to each, the phantom's first; none where the receipts are of too few days."""
    if lines.is_empty():
        return []
    busy = Busy(lines)
    if busy.last - busy.first < SHORTEST:
        return []
    begin = last_wednesday(busy.last - min(LONGEST, (busy.last - busy.first) // 2))
    shelves = [
        Shelf(store, sku, "replenished", begin, busy.last, busy.sales[store, sku])
        for store in busy.stores
        for sku in busy.best_sellers(store, SKUS_A_STORE)
    ]
    phantom = _phantom(busy, begin)
    shelves = [one for one in shelves if phantom is None or (one.store_id, one.sku) != (phantom.store_id, phantom.sku)]
    shelves = _with_one_late(shelves)
    shelves = _with_part(shelves, "empty", _sold_out_for)
    shelves = _with_part(shelves, "low", lambda one: one.sold(one.opened_at, one.ends_at))
    return shelves if phantom is None else [phantom, *shelves]


def last_wednesday(moment: int) -> int:
    """Eight o'clock of the last Wednesday before a moment; the Unix epoch began on a Thursday."""
    morning = next_morning(moment) - DAY
    return morning - (morning // DAY + 1) % 7 * DAY


def _with_part(shelves: list[Shelf], part: Part, worth: Callable[[Shelf], int]) -> list[Shelf]:
    """The same with one that nobody orders for: of those that are replenished the one worth most."""
    most = max((one for one in shelves if one.part == "replenished"), key=worth)
    return [replace(one, part=part) if one is most else one for one in shelves]


def _sold_out_for(shelf: Shelf) -> int:
    """How long nobody buys in the end, times what is sold before."""
    sold = shelf.sold(shelf.opened_at, shelf.ends_at)
    return (shelf.ends_at - shelf.sales[-1].occurred_at) * sold if sold >= FEWEST_SOLD else 0


def _with_one_late(shelves: Sequence[Shelf]) -> list[Shelf]:
    """The same with one delivery too late: where nobody buys for longest after the day on which it is due."""
    longest: tuple[int, Shelf, int] | None = None
    for shelf in shelves:
        for due in range(shelf.opened_at + WEEK, shelf.ends_at - WEEK, WEEK):
            last = max((sale.occurred_at for sale in shelf.sales if sale.occurred_at <= due), default=0)
            pause = min(shelf.next_sale(due), due + WEEK) - due
            enough = shelf.sold(due - WEEK, due) >= FEWEST_BEFORE_LATE and last < due - DAY and pause >= LATE_BY
            if enough and (longest is None or pause > longest[0]):
                longest = pause, shelf, due
    if longest is None:
        return list(shelves)
    return [replace(one, part="late", late=longest[2]) if one is longest[1] else one for one in shelves]


def _phantom(busy: Busy, begin: int) -> Shelf | None:
    """The SKU that most improbably really stopped selling: claimed to be there, it is a phantom."""
    best: tuple[float, Shelf] | None = None
    for (store, sku), sales in sorted(busy.sales.items()):
        opened_at = next_morning(sales[-1].occurred_at)
        if opened_at < begin - LONGEST:
            continue
        receipts, since = busy.receipts[store], opened_at - LONGEST
        bought = len(sales) - bisect_right(sales, (since,))
        before = bisect_right(receipts, opened_at) - bisect_right(receipts, since)
        silent = len(receipts) - bisect_right(receipts, opened_at)
        improbable = bought * math.log1p(silent / before) if before else 0.0
        if improbable >= SILENT and (best is None or improbable > best[0]):
            best = improbable, Shelf(store, sku, "phantom", opened_at, busy.last, ())
    return None if best is None else best[1]
