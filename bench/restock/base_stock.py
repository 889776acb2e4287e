"""The policy that all estimates of demand are compared in: each evening, what is at or below s is ordered up to S.

Same formula as streams.restock.rules.reorder_levels, so that only the estimates differ; here for all items at once.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import NormalDist
from typing import NamedTuple, Protocol

import numpy as np

from restock.chain import Chain, Floats
from restock.player import Alarm, Order, Sale
from restock.shelves import Shelves

# Of the delays that restock.play draws.
LATE_DAYS = 0.15 * 1 + 0.05 * 3
LATE_DAYS_SD = (0.15 * 1 + 0.05 * 9 - LATE_DAYS**2) ** 0.5


class Demand(NamedTuple):
    """Of each item: units to be expected in its lead time and their variance, and in the day after."""

    lead: Floats
    lead_variance: Floats
    review: Floats


class Estimator(Protocol):
    """What it learns of sales as they are told, and of shelves; and what it expects."""

    def sold(self, hour: int, store: int, receipts: Mapping[int, int], sales: Sequence[Sale]) -> None:
        """What a store's tills send in an hour."""

    def stocked(self, hour: int, item: int, units: int, *, counted: bool) -> None:
        """So many units of an item were counted, or came."""

    def expected(self, day: int, lead_days: Floats) -> Demand:
        """At the end of a day, for lead times of so many days."""


class BaseStock:
    """An estimator's forecasts turned into orders."""

    def __init__(self, chain: Chain, estimator: Estimator, service_level: float) -> None:
        self.chain, self.estimator = chain, estimator
        self.z = NormalDist().inv_cdf(service_level)
        sku = chain.sku()
        self.lead_days = chain.lead_days[sku] + LATE_DAYS
        self.packs = chain.packs[sku]
        self.on_order = np.zeros(chain.size.items, np.int64)

    def sold(self, hour: int, store: int, receipts: Mapping[int, int], sales: Sequence[Sale]) -> None:
        """See Player."""
        self.estimator.sold(hour, store, receipts, sales)

    def counted(self, item: int, second: int, units: int) -> None:
        """See Player."""
        self.estimator.stocked(second // 3600, item, units, counted=True)

    def ordered(self, order: str, item: int, second: int, units: int, expected: int) -> None:
        """See Player."""
        self.on_order[item] += units

    def delivered(self, order: str, item: int, second: int, units: int, missing: int) -> None:
        """See Player."""
        self.on_order[item] -= units + missing
        self.estimator.stocked(second // 3600, item, units, counted=False)

    def promoted(self, sku: int, since: int, until: int) -> None:
        """See Player; nobody tells the estimators of promotions."""

    def orders(self, day: int, shelves: Shelves) -> list[Order]:
        """See Player."""
        lead, variance, review = self.estimator.expected(day, self.lead_days)
        a_day = lead / self.lead_days
        s = np.maximum(lead + self.z * np.sqrt(variance + (a_day * LATE_DAYS_SD) ** 2), self.packs)
        up_to = np.maximum(s + review, s + self.packs)
        position = np.array(shelves.books) + self.on_order
        packs = np.ceil((up_to - position) / self.packs - 1e-9).astype(np.int64)
        low = np.nonzero((position <= s) & (packs > 0))[0]
        return [Order(int(item), int(packs[item] * self.packs[item])) for item in low]

    def alarms(self, hour: int, shelves: Shelves) -> list[Alarm]:
        """See Player; it raises none."""
        return []
