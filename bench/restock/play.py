"""A policy in a world: what it orders comes, what is stolen is gone, and who finds the shelf empty buys nothing.

Orders go out each evening and come in the morning of the day that they take, or later. Goods that stay in the back are
found by a count, or when the next delivery is put away.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field

import numpy as np

from restock.chain import CLOSES, OPENS
from restock.player import Player, Sale
from restock.shelves import Shelves, Spell
from restock.world import World

HOUR, DAY = 3600, 24 * 3600
MORNING, EVENING = 7 * HOUR, 22 * HOUR
# Each item is counted once a quarter, whatever is suspected.
COUNTED_EVERY = 91
# Whoever is sent to look at a shelf gets there within so many hours.
LOOK_WITHIN = 2


@dataclass(frozen=True, slots=True)
class Heard:
    """An alert as it was raised in an hour, and how it was in truth: the numbers of the spells of empty shelf and of
    hidden empty shelf that its item was in."""

    rule: str
    item: int
    hour: int
    empty: int | None
    hidden: int | None


@dataclass(slots=True)
class Outcome:
    """What came of it in the days that are measured. Stock is the average of the evenings."""

    wanted: int = 0
    lost: int = 0
    lost_hidden: int = 0
    wanted_revenue: float = 0.0
    lost_revenue: float = 0.0
    stock: float = 0.0
    stock_value: float = 0.0
    orders: int = 0
    looks: int = 0
    spells: list[Spell] = field(default_factory=list)
    heard: list[Heard] = field(default_factory=list)

    @property
    def fill_rate(self) -> float:
        """The share of the wanted units that was sold."""
        return 1 - self.lost / self.wanted


class Play:
    """One run. With `looks`, somebody goes to each shelf that is suspected to be empty."""

    def __init__(self, world: World, player: Player, looks: bool = False) -> None:
        self.world, self.player, self.looks = world, player, looks
        self.chain, self.size = world.chain, world.size
        self.shelves = Shelves(world.size)
        self.outcome = Outcome()
        self._skus = [int(sku) for sku in self.chain.sku()]
        self._due: dict[int, list[tuple[str, int, int]]] = defaultdict(list)
        self._sent: dict[tuple[int, int], list[Sale]] = defaultdict(list)
        self._looks: dict[int, list[int]] = defaultdict(list)
        self._measured = False

    def run(self) -> Outcome:
        """From the first day to the last."""
        self._begin()
        for day in range(self.size.all_days):
            self._measured = day >= self.size.warm_days
            self._morning(day)
            for hour in range(day * 24, day * 24 + 24):
                self._hour(hour)
            self._evening(day)
        self.shelves.close(self.size.all_days * 24)
        first = self.size.warm_days * 24
        self.outcome.spells = [one for one in self.shelves.spells if one.until > first]
        self.outcome.stock /= self.size.days
        self.outcome.stock_value /= self.size.days
        return self.outcome

    def _begin(self) -> None:
        for item, sku in enumerate(self._skus):
            pack = int(self.chain.packs[sku])
            days = int(self.chain.lead_days[sku]) + 3
            self.shelves.shelf[item] = pack * (1 + round(self.chain.known[sku] * days / pack))
            self.player.counted(item, 0, self.shelves.count(item, 0))
        for one in sorted(self.world.promotions, key=lambda one: one.since):
            self.player.promoted(one.sku, one.since * DAY, one.until * DAY)

    def _morning(self, day: int) -> None:
        luck, loss, shelves = self.world.luck, self.chain.loss, self.shelves
        at = day * DAY + MORNING
        for name, item, units in self._due.pop(day, []):
            pack = int(self.chain.packs[self._skus[item]])
            came = units - units // 2 // pack * pack if luck["short"][day, item] < loss.short else units
            really = came - pack if luck["wrong"][day, item] < loss.booked_wrong else came
            shelves.deliver(item, really, came, luck["left"][day, item] < loss.left_behind)
            shelves.note(item, day * 24)
            self.player.delivered(name, item, at, came, units - came)
        for item in range(self.size.items):
            noticed = luck["noticed"][day, item] < loss.noticed and shelves.hidden(item)
            if noticed or (day + item) % COUNTED_EVERY == 0:
                self._count(item, at + HOUR // 2)

    def _count(self, item: int, second: int) -> None:
        self.player.counted(item, second, self.shelves.count(item, second))
        self.shelves.note(item, second // HOUR)

    def _hour(self, hour: int) -> None:
        shelves, outcome = self.shelves, self.outcome
        for second, item, units, told in self.world.purchases[hour]:
            got = shelves.buy(item, units, hour)
            if got:
                self._sent[told, item // self.size.skus].append(Sale(second, item, got))
            if self._measured:
                price = self.chain.prices[self._skus[item]]
                outcome.wanted += units
                outcome.wanted_revenue += units * price
                if got < units:
                    outcome.lost += units - got
                    outcome.lost_revenue += (units - got) * price
                    outcome.lost_hidden += (units - got) * shelves.hidden(item)
        if hour % 24 == (OPENS + CLOSES) // 2:
            self._thefts(hour)
        for store, told_receipts in enumerate(self.world.receipts):
            receipts, sales = told_receipts.get(hour), self._sent.pop((hour, store), [])
            if receipts is None and not sales:
                continue
            for one in sales:
                shelves.told(one.item, one.units, one.second)
            self.player.sold(hour, store, receipts or {}, sales)
        self._listen(hour)
        for item in self._looks.pop(hour, []):
            outcome.looks += self._measured
            self._count(item, hour * HOUR + HOUR - 1)

    def _thefts(self, hour: int) -> None:
        day = hour // 24
        for item in np.nonzero(self.world.thefts[day])[0]:
            stock = self.shelves.shelf[item]
            swept = self.world.luck["sweep"][day, item] < self.chain.loss.sweep
            taken = stock if swept else min(stock, int(self.world.thefts[day, item]))
            self.shelves.shelf[item] -= taken
            self.shelves.note(int(item), hour)

    def _listen(self, hour: int) -> None:
        for rule, state, item in self.player.alarms(hour, self.shelves):
            if state != "raised":
                continue
            if self._measured:
                spells = self.shelves.spell(item, hidden=False), self.shelves.spell(item, hidden=True)
                self.outcome.heard.append(Heard(rule, item, hour, *spells))
            if self.looks and rule == "silent_shelf":
                self._looks[_open_from(hour + LOOK_WITHIN)].append(item)

    def _evening(self, day: int) -> None:
        at = day * DAY + EVENING
        for number, (item, units) in enumerate(self.player.orders(day, self.shelves)):
            takes = int(self.chain.lead_days[self._skus[item]])
            name = f"{day}-{number}"
            luck = self.world.luck["lead"][day, item]
            late = 0 if luck < 0.8 else 1 if luck < 0.95 else 3
            self.player.ordered(name, item, at, units, (day + takes) * DAY + MORNING)
            self._due[day + takes + late].append((name, item, units))
            self.outcome.orders += self._measured
        if self._measured:
            stock = [on + behind for on, behind in zip(self.shelves.shelf, self.shelves.back, strict=True)]
            self.outcome.stock += sum(stock)
            prices = self.chain.prices[self.chain.sku()]
            self.outcome.stock_value += float(np.dot(prices, stock))


def _open_from(hour: int) -> int:
    """An hour, or the first of business after it."""
    day, of_day = divmod(hour, 24)
    if OPENS <= of_day < CLOSES:
        return hour
    return day * 24 + OPENS if of_day < OPENS else day * 24 + 24 + OPENS
