"""One store as restock sees it: its clock, its tracked SKUs, and when each of them is to be looked at again."""

from __future__ import annotations

import heapq
import math
from array import array
from collections.abc import Sequence
from dataclasses import dataclass, field

from kernel.buffers import address
from kernel.items import NEVER, UNWATCHED, WATCHED, Table
from kernel.library import STORE
from kernel.moves import Moves
from streams.restock.demand import UNIT
from streams.restock.item import UNTOLD, Item
from streams.restock.rules import SILENCE
from streams.restock.trading import DAY, HOUR, Trading
from streams.windows import Windows

# What lies before the horizon is forgotten once a day: to look for it costs more than to keep it for a while.
FORGET_EVERY = DAY
# Standard hours: where rounding has not yet let a silence be improbable enough, it will be then.
_SOON = 1e-6


@dataclass(slots=True)
class Shop:
    """`log` and `applied` say how far its receipts are told: the topic's life, and the offset.

    `receipts` are those counted of each open window; `hours` (since the Unix epoch) those within grace in which there
    was business, each with what the store's clock showed at its end in `clocks`; `ids` the movements within grace, each
    with its time. `due` and `watched` are heaps of (event time, SKU) and (the store's clock, SKU) to be judged then;
    `day` the last whose review is done. `moves` and `table` are its items' for the kernel.
    """

    store_id: str
    log: int = 0
    applied: int = UNTOLD
    watermark: int | None = None
    trading: Trading = field(default_factory=Trading)
    receipts: dict[int, int] = field(default_factory=dict)
    hours: array[int] = field(default_factory=lambda: array("q"))
    clocks: array[float] = field(default_factory=lambda: array("d"))
    items: dict[str, Item] = field(default_factory=dict)
    ids: dict[str, int] = field(default_factory=dict)
    latest_movement: int = 0
    due: list[tuple[int, str]] = field(default_factory=list)
    watched: list[tuple[float, str]] = field(default_factory=list)
    day: int = -1
    moves: Moves = field(default_factory=Moves)
    table: Table = field(default_factory=Table, repr=False, compare=False)

    @property
    def now(self) -> int:
        """The store's event time; before its first receipt that of its latest movement."""
        return self.latest_movement if self.watermark is None else self.watermark

    def horizon(self, windows: Windows) -> int:
        """The moment before which no movement is taken any more."""
        return self.now - windows.grace

    def count_receipts(self, totals: Sequence[Sequence[int]], watermark: int, windows: Windows) -> None:
        """Take up how many receipts windows hold by now, and move the clock on."""
        by_hour: dict[int, tuple[int, int]] = {}
        for start, total in sorted((one[0], one[1]) for one in totals):
            at, hour = min(start + windows.width - 1, watermark), start // HOUR
            more = total - self.receipts.get(start, 0) + by_hour.get(hour, (0, 0))[1]
            self.receipts[start] = total
            by_hour[hour] = at, more
        for at, more in by_hour.values():
            self._advance(at, more)
        self._advance(watermark, 0)
        if self.watermark is None or watermark > self.watermark:
            self.watermark = watermark

    def _advance(self, now: int, receipts: int) -> None:
        hour = now // HOUR
        if self.trading.advance(now, receipts) or self.trading.hour == hour:
            if self.hours and self.hours[-1] == hour:
                self.clocks[-1] = self.trading.done
            else:
                self.hours.append(hour)
                self.clocks.append(self.trading.done)

    def clock_of(self, occurred_at: int) -> float:
        """What the store's clock showed then, by the hour; what it shows now where that is forgotten."""
        try:
            return self.clocks[self.hours.index(occurred_at // HOUR)]
        except ValueError:
            return self.trading.done

    def forget(self, windows: Windows) -> None:
        """Drop what lies before the horizon, now and then."""
        horizon, oldest = self.horizon(windows), windows.oldest(self.watermark)
        self.receipts = {start: total for start, total in self.receipts.items() if start >= oldest}
        kept = [at for at, hour in enumerate(self.hours) if (hour + 1) * HOUR > horizon]
        if kept and kept[0] > 0:
            del self.hours[: kept[0]], self.clocks[: kept[0]]
        self.ids = {name: at for name, at in self.ids.items() if at >= horizon}
        if self.watermark is not None:  # before the first receipt movements of any age are taken
            self.moves.forget(horizon)

    def settle(self, item: Item, windows: Windows) -> None:
        """Forget the single movements of an item's orders before the horizon.

        Before the store's first receipt there is none: movements of any age are taken.
        """
        if self.watermark is not None and item.orders.recent:
            item.orders.settle(self.horizon(windows))

    def seen(self) -> STORE:
        """The store as it is now, for the kernel."""
        trading = self.trading
        week = trading.sums()
        return STORE(
            self.now, trading.done, len(self.hours), address(self.hours), address(self.clocks), week is not None,
            *((0, 0) if week is None else map(address, week)), trading.around(self.now), trading.a_day(),
        )  # fmt: skip

    def watch(self, item: Item) -> None:
        """Have an item looked at when its silence gets suspicious; each has one entry at most, which may be early.

        None where it is suspicious already and nothing comes of that before the item is touched again: its alert is
        open, or the books have nothing on the shelf.
        """
        if item.numbers.watched == WATCHED:
            return
        at, done = item.running().suspicious_at(item.prior, SILENCE), self.trading.done
        if at <= done and "silent_shelf" not in item.episodes and (item.position.on_hand or 0) >= UNIT:
            at = done + _SOON
        item.numbers.watched = WATCHED if done < at < math.inf else NEVER
        if item.numbers.watched == WATCHED:
            heapq.heappush(self.watched, (at, item.sku))

    def remind(self, at: int, sku: str) -> None:
        """Have an item looked at when the store's event time gets there."""
        heapq.heappush(self.due, (at, sku))

    def take_due(self) -> list[str]:
        """The SKUs whose moment has come by event time."""
        found: dict[str, None] = {}
        while self.due and self.due[0][0] <= self.now:
            found[heapq.heappop(self.due)[1]] = None
        return list(found)

    def to_judge(self) -> list[str]:
        """The SKUs to be judged since the store's clock or the day is where it is, and something may come of it."""
        silent: list[str] = []
        while self.watched and self.watched[0][0] <= self.trading.done:
            item = self.items[heapq.heappop(self.watched)[1]]
            item.numbers.watched = UNWATCHED
            if item.running().suspicious_at(item.prior, SILENCE) <= self.trading.done:
                silent.append(item.sku)
            else:
                self.watch(item)  # somebody has bought it since
        day = self.now // DAY
        if day == self.day or not self.items:
            return silent
        self.day = day
        self.table.touch_all()
        return list(dict.fromkeys([*silent, *self.named(self.table.not_calm(self.seen()))]))

    def named(self, numbers: Sequence[int]) -> list[str]:
        """The SKUs of items by their numbers."""
        return [self.table.names[number] for number in numbers]
