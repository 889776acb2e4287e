"""Who sells what, how fast and when: the chain's stores and SKUs, drawn from a seed.

An item is a SKU in a store, `store * skus + sku`. Rates are purchases a day, times hours of the day.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

OPENS, CLOSES = 8, 21
OPEN_HOURS = CLOSES - OPENS
PACKS = np.array([1, 2, 3, 6, 12])
TILLS = 3
# Purchases a day of a SKU in a store of average size: log-uniform between one a month and six a day.
SLOWEST, FASTEST = 1 / 30, 6.0


@dataclass(frozen=True, slots=True)
class Size:
    """How much is simulated. Nothing is measured in the first `warm_days`: in these all policies learn."""

    stores: int = 3
    skus: int = 120
    warm_days: int = 56
    days: int = 140

    @property
    def items(self) -> int:
        """SKUs in stores."""
        return self.stores * self.skus

    @property
    def all_days(self) -> int:
        """Those of the warm-up, and those that are measured."""
        return self.warm_days + self.days


@dataclass(frozen=True, slots=True)
class Loss:
    """How goods go astray: assumptions, set before anything was calibrated (docs/restock.md says what they come to).

    `theft` is thefts for each purchase; `sweep` the share of them that clear the shelf. `left_behind` is the share of
    deliveries that stay in the back, `booked_wrong` of those in which a pack less has come than is booked, `short` of
    those that bring half and say so. Somebody notices an empty shelf with `noticed` a day, whatever the books say.
    """

    theft: float = 0.005
    sweep: float = 0.1
    left_behind: float = 0.02
    booked_wrong: float = 0.005
    short: float = 0.05
    noticed: float = 0.15


@dataclass(frozen=True, slots=True)
class Chain:
    """What is true of the chain. `rates` (item) are at the year's average; `shapes` (store, shape, weekday, hour) are
    shares of a week's purchases times seven, of which each SKU follows one (`shape_of`): 0 is the store's own.
    """

    size: Size
    loss: Loss
    rates: Floats
    shapes: Floats
    shape_of: Ints
    more_units: Floats  # per SKU: units of a purchase beyond the first, mean of a geometric distribution
    season: Floats  # per SKU: amplitude and phase
    trend: Floats  # per SKU: growth a year
    lead_days: Ints  # per SKU
    packs: Ints  # per SKU
    prices: Floats  # per SKU
    stolen: Floats  # per SKU: how much likelier than the average
    receipts: Floats  # per store: receipts of an average open hour
    known: Floats  # per SKU: purchases a day in the chain's average store, as eight weeks of last year showed them

    def usual_units(self, sku: int) -> float:
        """Units of a purchase on average; like stores have shown so many that this is known."""
        return 1 + float(self.more_units[sku])

    def sku(self) -> Ints:
        """The SKU of each item."""
        return np.tile(np.arange(self.size.skus), self.size.stores)

    def store(self) -> Ints:
        """The store of each item."""
        return np.repeat(np.arange(self.size.stores), self.size.skus)


def draw(size: Size, loss: Loss, rng: np.random.Generator) -> Chain:
    """A chain."""
    skus, stores = size.skus, size.stores
    base = np.exp(rng.uniform(math.log(SLOWEST), math.log(FASTEST), skus))
    big = rng.lognormal(0, 0.3, stores)
    rates = (base * big[:, None] * rng.lognormal(0, 0.35, (stores, skus))).ravel()
    more = rng.exponential(0.4, skus)
    usual = base * (1 + more)
    lead = rng.choice([1, 2, 3, 5], skus, p=[0.3, 0.4, 0.2, 0.1])
    seen = rng.poisson(rates.reshape(stores, skus).sum(0) * 56) / (56 * stores)
    return Chain(
        size, loss, rates,
        shapes=np.array([[_week(rng, kind) for kind in (None, "morning", "weekend")] for _ in range(stores)]),
        shape_of=rng.choice(3, skus, p=[0.8, 0.1, 0.1]),
        more_units=more,
        season=np.stack([rng.uniform(0, 0.5, skus), rng.uniform(0, 2 * math.pi, skus)]),
        trend=rng.normal(0, 0.25, skus),
        lead_days=lead,
        packs=PACKS[np.searchsorted(PACKS, 5 * usual, side="right").clip(1) - 1],
        prices=rng.lognormal(3.4, 0.6, skus),
        stolen=rng.lognormal(-0.5, 1.0, skus),
        receipts=40 * big,
        known=seen,
    )  # fmt: skip


def _week(rng: np.random.Generator, kind: str | None) -> Floats:
    """Weekday and hour, mean over all days 1 a day; closed hours are 0."""
    hours = np.zeros(24)
    open_hours = np.arange(OPENS, CLOSES)
    peak = 10.0 if kind == "morning" else rng.uniform(15, 18)
    hours[OPENS:CLOSES] = 0.3 + np.exp(-((open_hours - peak) ** 2) / 8)
    days = np.array([0.9, 0.85, 0.9, 1.0, 1.3, 1.4, 0.65]) * rng.lognormal(0, 0.1, 7)
    if kind == "weekend":
        days[[4, 5]] *= 3
    week = days[:, None] * hours
    return week * 7 / week.sum()
