"""Our estimator with parts of it taken away: by the store's clock or the calendar's, with and without censoring, prior,
and the week's profile. What is left is streams.restock.demand and .trading themselves.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from restock.base_stock import Demand
from restock.chain import OPEN_HOURS, Chain, Floats
from restock.ours import BEGIN, HOUR, SECOND
from restock.player import Sale
from streams.restock.demand import UNIT, Prior
from streams.restock.demand import Demand as Known
from streams.restock.trading import Trading


@dataclass(frozen=True, slots=True)
class Parts:
    """Which of them are there. Without the store's clock, each hour of the calendar counts alike, day and night."""

    clock: bool = True
    masked: bool = True
    prior: bool = True
    week: bool = True


class StoreClock:
    """One Demand an item, one Trading a store."""

    def __init__(self, chain: Chain, parts: Parts) -> None:
        self.chain, self.parts = chain, parts
        self.trading = [Trading() for _ in range(chain.size.stores)]
        self.demand = [Known() for _ in range(chain.size.items)]
        self.priors = [
            Prior(float(chain.known[sku]) / OPEN_HOURS, chain.usual_units(sku)) if parts.prior else Prior()
            for sku in chain.sku()
        ]
        self.books = [0] * chain.size.items

    def sold(self, hour: int, store: int, receipts: Mapping[int, int], sales: Sequence[Sale]) -> None:
        """See Estimator."""
        now = BEGIN + hour * HOUR + HOUR - SECOND
        self.trading[store].advance(now, sum(receipts.values()) + len(sales))
        clock = self._clock(store, hour + 1)
        for one in sales:
            self.demand[one.item].bought(clock, one.units * UNIT, 0)
            self._sees(one.item, clock, self.books[one.item] - one.units)

    def stocked(self, hour: int, item: int, units: int, *, counted: bool) -> None:
        """See Estimator."""
        books = units if counted else self.books[item] + units
        self._sees(item, self._clock(item // self.chain.size.skus, hour), books)

    def expected(self, day: int, lead_days: Floats) -> Demand:
        """See Estimator."""
        now = BEGIN + (day * 24 + 23) * HOUR
        lead, variance, review = (np.zeros(self.chain.size.items) for _ in range(3))
        ahead: dict[tuple[int, float], float] = {}
        for item, demand in enumerate(self.demand):
            store = item // self.chain.size.skus
            demand.observe(self._clock(store, day * 24 + 23))
            rate = demand.rate(self.priors[item])
            for days in (float(lead_days[item]), 1.0):
                if (store, days) not in ahead:
                    ahead[store, days] = self._hours(store, now, days)
            hours = ahead[store, float(lead_days[item])]
            lead[item], variance[item] = rate.mean(hours), rate.variance(hours)
            review[item] = rate.mean(ahead[store, 1.0])
        return Demand(lead, variance, review)

    def _clock(self, store: int, hour: int) -> float:
        # So many calendar hours are a standard one that both have the same memory in days.
        return self.trading[store].done if self.parts.clock else hour * OPEN_HOURS / 24

    def _hours(self, store: int, now: int, days: float) -> float:
        trading = self.trading[store]
        if not self.parts.clock:
            return days * OPEN_HOURS
        return trading.ahead(now, days) if self.parts.week else days * trading.a_day()

    def _sees(self, item: int, clock: float, books: int) -> None:
        self.demand[item].observe(clock)
        self.books[item] = books
        self.demand[item].censored = self.parts.masked and books <= 0
