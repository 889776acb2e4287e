"""The baselines: a moving average of 28 days, Croston, and TSB as its paper has it, by the calendar's hours.

All learn from what is sold: a day without stock counts as a day without demand.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from restock.base_stock import Demand
from restock.chain import Chain, Floats
from restock.player import Sale

WINDOW = 28


class ByDay:
    """Units sold by item, day by day, as they are told."""

    def __init__(self, chain: Chain) -> None:
        self.today = np.zeros(chain.size.items)

    def sold(self, hour: int, store: int, receipts: Mapping[int, int], sales: Sequence[Sale]) -> None:
        """See Estimator."""
        for one in sales:
            self.today[one.item] += one.units

    def stocked(self, hour: int, item: int, units: int, *, counted: bool) -> None:
        """See Estimator; it does not care."""


class MovingAverage(ByDay):
    """Mean and variance of the last 28 days' sales."""

    def __init__(self, chain: Chain) -> None:
        super().__init__(chain)
        self.days = np.zeros((WINDOW, chain.size.items))

    def expected(self, day: int, lead_days: Floats) -> Demand:
        """See Estimator."""
        self.days[day % WINDOW] = self.today
        self.today[:] = 0
        known = self.days[: day + 1]
        mean, variance = known.mean(0), known.var(0)
        return Demand(mean * lead_days, variance * lead_days, mean)


class Croston(ByDay):
    """Croston (1972): sizes of demand and the days between, each smoothed where there is demand.

    The variance is that of the forecast's errors a day, smoothed likewise (Silver, Pyke and Thomas 2017, section 3.5).
    """

    ALPHA = 0.1

    def __init__(self, chain: Chain) -> None:
        super().__init__(chain)
        sku = chain.sku()
        self.units = np.ones(chain.size.items)
        self.interval = np.minimum(1 / np.maximum(chain.known[sku], 1 / 60), 60)
        self.since = np.ones(chain.size.items)
        self.errors = self.units / self.interval

    def expected(self, day: int, lead_days: Floats) -> Demand:
        """See Estimator."""
        forecast = self.units / self.interval
        self.errors += self.ALPHA / 2 * ((self.today - forecast) ** 2 - self.errors)
        bought = self.today > 0
        self.units = np.where(bought, self.units + self.ALPHA * (self.today - self.units), self.units)
        self.interval = np.where(bought, self.interval + self.ALPHA * (self.since - self.interval), self.interval)
        self.since = np.where(bought, 1.0, self.since + 1)
        self.today[:] = 0
        forecast = self.units / self.interval
        return Demand(forecast * lead_days, self.errors * lead_days, forecast)


class CalendarTsb:
    """TSB (Teunter, Syntetos and Babai 2011) with the hour of the calendar as its period, day and night."""

    BETA, ALPHA = 1 / 1000, 0.05

    def __init__(self, chain: Chain) -> None:
        sku = chain.sku()
        self.probability = chain.known[sku] / 24
        self.units, self.squares = np.ones(chain.size.items), np.ones(chain.size.items)

    def sold(self, hour: int, store: int, receipts: Mapping[int, int], sales: Sequence[Sale]) -> None:
        """See Estimator."""
        bought: dict[int, int] = {}
        for one in sales:
            bought[one.item] = bought.get(one.item, 0) + one.units
        for item, units in bought.items():
            self.probability[item] += self.BETA
            self.units[item] += self.ALPHA * (units - self.units[item])
            self.squares[item] += self.ALPHA * (units * units - self.squares[item])

    def stocked(self, hour: int, item: int, units: int, *, counted: bool) -> None:
        """See Estimator; it does not care."""

    def expected(self, day: int, lead_days: Floats) -> Demand:
        """See Estimator. The decay of the day's hours, p <- (1 - b) p, is done at its end."""
        self.probability *= (1 - self.BETA) ** 24
        an_hour = self.probability * self.units
        variance = self.probability * self.squares - an_hour**2
        return Demand(an_hour * 24 * lead_days, variance * 24 * lead_days, an_hour * 24)
