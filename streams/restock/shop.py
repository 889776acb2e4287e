"""One store as restock sees it: its clock, its tracked SKUs, and when each of them is to be looked at again."""

from __future__ import annotations

import heapq
import math
from collections.abc import Sequence
from dataclasses import dataclass, field

from streams.restock.item import UNTOLD, Item
from streams.restock.rules import SILENCE
from streams.restock.trading import DAY, HOUR, Trading
from streams.windows import Windows

# Single moves of a SKU are forgotten once so many more have come: looking costs as much as they do.
SETTLE_EVERY = 64


@dataclass(slots=True)
class Shop:
    """`log` and `applied` say how far its receipts are told: the topic's life, and the offset.

    `receipts` are those counted of each open window, `clock_at` what the store's clock showed at the end of each hour
    (since the Unix epoch) within grace, `ids` the movements within grace, each with its time. `due` and `watched` are
    heaps of (event time, SKU) and (the store's clock, SKU) to be judged then; `day` the last whose review is done.
    """

    store_id: str
    log: int = 0
    applied: int = UNTOLD
    watermark: int | None = None
    trading: Trading = field(default_factory=Trading)
    receipts: dict[int, int] = field(default_factory=dict)
    clock_at: dict[int, float] = field(default_factory=dict)
    items: dict[str, Item] = field(default_factory=dict)
    ids: dict[str, int] = field(default_factory=dict)
    latest_movement: int = 0
    due: list[tuple[int, str]] = field(default_factory=list)
    watched: list[tuple[float, str]] = field(default_factory=list)
    day: int = -1

    @property
    def now(self) -> int:
        """The store's event time; before its first receipt that of its latest movement."""
        return self.latest_movement if self.watermark is None else self.watermark

    def horizon(self, windows: Windows) -> int:
        """The moment before which no movement is taken any more."""
        return self.now - windows.grace

    def count_receipts(self, totals: Sequence[Sequence[int]], watermark: int, windows: Windows) -> None:
        """Take up how many receipts windows hold by now, and move the clock on."""
        for start, total in sorted((one[0], one[1]) for one in totals):
            more = total - self.receipts.get(start, 0)
            self.receipts[start] = total
            self._advance(min(start + windows.width - 1, watermark), more)
        self._advance(watermark, 0)
        if self.watermark is None or watermark > self.watermark:
            self.watermark = watermark

    def _advance(self, now: int, receipts: int) -> None:
        hour = now // HOUR
        if self.trading.advance(now, receipts) or self.trading.hour == hour:
            self.clock_at[hour] = self.trading.done

    def clock_of(self, occurred_at: int) -> float:
        """What the store's clock showed then, by the hour; what it shows now where that is forgotten."""
        return self.clock_at.get(occurred_at // HOUR, self.trading.done)

    def forget(self, windows: Windows) -> None:
        """Drop what lies before the horizon, once an hour."""
        horizon, oldest = self.horizon(windows), windows.oldest(self.watermark)
        self.receipts = {start: total for start, total in self.receipts.items() if start >= oldest}
        self.clock_at = {hour: clock for hour, clock in self.clock_at.items() if (hour + 1) * HOUR > horizon}
        self.ids = {name: at for name, at in self.ids.items() if at >= horizon}

    def settle(self, item: Item, windows: Windows) -> None:
        """Forget an item's single moves before the horizon, where there are many.

        Before the store's first receipt there is none: movements of any age are taken.
        """
        if self.watermark is None:
            return
        if len(item.position.recent) >= SETTLE_EVERY or item.orders.recent:
            item.position.settle(self.horizon(windows))
            item.orders.settle(self.horizon(windows))

    def watch(self, item: Item) -> None:
        """Have an item looked at when its silence gets suspicious; each has one entry at most, which may be early."""
        if item.watched:
            return
        at = item.running().suspicious_at(item.prior, SILENCE)
        if at < math.inf:
            item.watched = True
            heapq.heappush(self.watched, (at, item.sku))

    def remind(self, at: int, sku: str) -> None:
        """Have an item looked at when the store's event time gets there."""
        heapq.heappush(self.due, (at, sku))

    def to_judge(self) -> list[str]:
        """The SKUs whose moment has come, by event time, by the store's clock, or by the day that has begun."""
        found: dict[str, None] = {}
        while self.due and self.due[0][0] <= self.now:
            found[heapq.heappop(self.due)[1]] = None
        while self.watched and self.watched[0][0] <= self.trading.done:
            sku = heapq.heappop(self.watched)[1]
            self.items[sku].watched = False
            found[sku] = None
        day = self.now // DAY
        if day > self.day:
            self.day = day
            found.update(dict.fromkeys(self.items))
        return list(found)
