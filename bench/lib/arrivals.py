"""A synthetic chain's receipts in the order in which they arrive, and what an exact count of them comes to.

What is expected is computed here, in columns, by the contract alone: a copy counts nothing, nor does a receipt whose
window its store's watermark has closed. Nothing is shared with how tillstream counts.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from lib import row_days, till_text
from lib.chain import STORES
from lib.row_days import ROW
from lib.tills import DAY, WINDOW, Array, Chain

_NEVER = -(2**40)


@dataclass(frozen=True, slots=True)
class Batch:
    """Receipts: heads and texts side by side, and the rows that their lines would add, receipt by receipt."""

    heads: Array
    texts: Array
    rows: Array

    def take(self, index: Array) -> Batch:
        """Those of the receipts, in that order."""
        many = self.heads["lines"].astype("i8")
        first = (np.cumsum(many) - many)[index]
        chosen = many[index]
        shift = np.repeat(first - (np.cumsum(chosen) - chosen), chosen)
        return Batch(self.heads[index], self.texts[index], self.rows[shift + np.arange(chosen.sum())])

    def and_then(self, other: Batch) -> Batch:
        """These and those."""
        return Batch(*(np.concatenate([getattr(self, name), getattr(other, name)]) for name in self.__slots__))


@dataclass(frozen=True, slots=True)
class Arrivals:
    """What arrived in a day: the receipts in order, which were late, and the rows of those that count."""

    batch: Batch
    late: Array

    @property
    def results(self) -> dict[str, int]:
        """Messages by result."""
        copies, late = int(self.batch.heads["copy"].sum()), int(self.late.sum())
        return {"folded": len(self.late) - copies - late, "duplicate": copies, "late": late}

    def counted(self) -> Array:
        """The rows of all that count, each store's window with its receipts among them; not summed."""
        heads = self.batch.heads
        counts = ~(self.late | heads["copy"])
        its = np.zeros(int(counts.sum()), ROW)
        its["key"] = row_days.keys(heads["store"], heads["occurred"] // WINDOW, row_days.ITS_RECEIPTS)[counts]
        its["receipts"] = 1
        return np.concatenate([self.batch.rows[np.repeat(counts, heads["lines"])], its])


def arrivals(chain: Chain, lines: int, grace: int) -> Iterator[Arrivals]:
    """Day by day what arrives, until at least so many lines have; `grace` in seconds."""
    on_its_way: Batch | None = None
    watermarks = np.full(STORES, _NEVER)
    for day in range(2**31):
        batch = sold(chain, day)
        if on_its_way is not None:
            batch = on_its_way.and_then(batch)
        order = np.argsort(batch.heads["arrival"], kind="stable")
        there = batch.heads["arrival"][order] < (day + 1) * DAY
        on_its_way = batch.take(order[~there])
        order = order[there]
        ends = np.cumsum(batch.heads["lines"][order])
        order = order[: int(np.searchsorted(ends, lines)) + 1]
        batch = batch.take(order)
        late, watermarks = judged(batch.heads, watermarks, grace)
        yield Arrivals(batch, late)
        lines -= len(batch.rows)
        if lines <= 0:
            return


def sold(chain: Chain, day: int) -> Batch:
    """A day's receipts, copies after all others."""
    heads, lines = chain.receipts(day)
    week = till_text.prices(till_text.week_of(day), chain.seed)
    texts = np.array(till_text.texts(day, heads, lines, week), dtype=object)
    batch = Batch(heads, texts, rows(heads, lines, week))
    chosen, copies = chain.copies(day, heads)
    again = batch.take(chosen)
    return batch.and_then(Batch(copies, again.texts, again.rows))


def rows(heads: Array, lines: Array, week: till_text.Prices) -> Array:
    """What each line adds, a row a line: a SKU that occurs twice in a receipt is in one receipt of its."""
    many = heads["lines"]
    found = np.zeros(len(lines), ROW)
    found["key"] = row_days.keys(
        np.repeat(heads["store"], many), np.repeat(heads["occurred"] // WINDOW, many), lines["sku"]
    )
    back = np.repeat(heads["returned"], many)
    sign = np.where(back, -1, 1)
    at = lines["sku"] * till_text.VARIANTS + lines["variant"]
    found["units"] = np.where(back, 0, week.units[at])
    found["returned"] = np.where(back, week.units[at], 0)
    for name, figure in (("revenue", week.amount), ("discount", week.discount), ("tax", week.tax)):
        found[name] = sign * figure[at]
    receipt = (np.repeat(np.arange(len(heads), dtype="i8"), many) << 16) | lines["sku"]
    found["receipts"][np.unique(receipt, return_index=True)[1]] = 1
    return found


def judged(heads: Array, watermarks: Array, grace: int) -> tuple[Array, Array]:
    """(which of the receipts are late, each store's watermark after them); heads in the order of arrival.

    Late and copied ones move no watermark; they are older than it, so that the running maximum may hold them as well.
    """
    order = np.argsort(heads["store"], kind="stable")
    store, occurred = heads["store"][order].astype("i8"), heads["occurred"][order]
    first = np.diff(store, prepend=-1) != 0
    # Stores one above the other, so that one running maximum serves all of them.
    floor = store * 2**41
    before = np.maximum.accumulate(np.maximum(occurred, watermarks[store]) + floor) - floor
    watermark = np.where(first, watermarks[store], np.roll(before, 1))
    late = np.empty(len(heads), dtype=bool)
    late[order] = occurred - occurred % WINDOW + WINDOW + grace <= watermark
    after = watermarks.copy()
    last = np.append(first[1:], True) if len(first) else first
    after[store[last]] = before[last]
    return late, after
