"""All that befalls a chain, drawn beforehand: the same customers, thieves and delays for every policy.

Hours are counted from the first midnight, a Monday; times of purchases are seconds from there.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from restock.chain import CLOSES, OPENS, TILLS, Chain, Floats, Ints, Loss, Size, draw

YEAR = 365.0
PROMOTED = 2.5
PROMOTION_DAYS = 14


class Purchase(NamedTuple):
    """What a customer wants; `told` is the hour in which the till sends it, if it is sold."""

    second: int
    item: int
    units: int
    told: int


class Promotion(NamedTuple):
    """A SKU in all stores, from a day until another (not included)."""

    sku: int
    since: int
    until: int


@dataclass(frozen=True, slots=True)
class World:
    """A chain's days. `purchases` by hour; `receipts` are (hour in which they are told, hour in which they occurred)
    by store, and how many. `luck` are uniform numbers by name, item and day, so that what happens to an item on a day
    is the same for every policy that gets it there. `thefts` (day, item), `sweeps` likewise uniform.
    """

    seed: int
    chain: Chain
    purchases: list[list[Purchase]]
    receipts: list[dict[int, dict[int, int]]]
    promotions: list[Promotion]
    thefts: Ints
    luck: dict[str, Floats]

    @property
    def size(self) -> Size:
        """How much is simulated."""
        return self.chain.size


def make(seed: int, size: Size, loss: Loss | None = None) -> World:
    """The world of a seed."""
    rng = np.random.default_rng(seed)
    chain = draw(size, loss or Loss(), rng)
    days, items = size.all_days, size.items
    promotions = [
        Promotion(int(sku), int(day), int(day) + PROMOTION_DAYS)
        for sku in rng.choice(size.skus, size.skus // 4, replace=False)
        for day in rng.integers(0, days, max(1, round(days / 120)))
    ]
    busy = rng.lognormal(0, 0.12, (size.stores, days))
    closed = rng.random((size.stores, days)) < 2 / YEAR
    busy[closed] = 0
    wanted = _daily(chain, promotions) * np.repeat(busy, size.skus, axis=0)
    told = _told(rng, size)
    luck = {name: rng.random((days, items)) for name in ("lead", "left", "wrong", "short", "noticed", "sweep")}
    thefts = rng.poisson(chain.loss.theft * chain.stolen[chain.sku()] * chain.rates, (days, items))
    return World(
        seed, chain, _purchases(rng, chain, wanted, told), _receipts(rng, chain, busy, told), promotions, thefts, luck
    )


def _daily(chain: Chain, promotions: list[Promotion]) -> Floats:
    """Purchases to be expected (item, day), but for the store's busy and quiet days."""
    days = np.arange(chain.size.all_days)
    angle = 2 * math.pi * days / YEAR
    season = 1 + chain.season[0][:, None] * np.cos(angle[None, :] + chain.season[1][:, None])
    trend = np.exp(chain.trend[:, None] * days[None, :] / YEAR)
    lift = np.ones_like(season)
    for one in promotions:
        lift[one.sku, one.since : one.until] = PROMOTED
    weekdays = chain.shapes.sum(3)[:, :, days % 7]  # store, shape, day
    by_store = weekdays[:, chain.shape_of, :]  # store, sku, day
    return (chain.rates.reshape(chain.size.stores, -1)[:, :, None] * by_store * season * trend * lift).reshape(
        chain.size.items, -1
    )


def _told(rng: np.random.Generator, size: Size) -> Ints:
    """The hour in which a till sends what it sells (store, till, hour): tills are offline now and then, or all are."""
    hours = np.arange(size.all_days * 24)
    told = np.tile(hours, (size.stores, TILLS, 1))
    for store in range(size.stores):
        for _ in range(rng.poisson(size.all_days / 20)):
            start = int(rng.integers(0, len(hours)))
            end = min(start + int(rng.integers(2, 30)), len(hours) - 1)
            tills = slice(None) if rng.random() < 0.3 else int(rng.integers(TILLS))
            told[store, tills, start:end] = np.maximum(told[store, tills, start:end], end)
    return told


def _purchases(rng: np.random.Generator, chain: Chain, wanted: Floats, told: Ints) -> list[list[Purchase]]:
    many = rng.poisson(wanted)
    item, day = np.nonzero(many)
    times = many[item, day]
    item, day = np.repeat(item, times), np.repeat(day, times)
    sku, store = chain.sku()[item], chain.store()[item]
    hour = _hours(rng, chain, store, chain.shape_of[sku], day)
    second = (day * 24 + hour) * 3600 + rng.integers(0, 3600, len(item))
    units = rng.geometric(1 / (1 + chain.more_units[sku]))
    sent = told[store, rng.integers(0, TILLS, len(item)), day * 24 + hour]
    found: list[list[Purchase]] = [[] for _ in range(chain.size.all_days * 24)]
    for at in np.argsort(second, kind="stable"):
        found[second[at] // 3600].append(Purchase(int(second[at]), int(item[at]), int(units[at]), int(sent[at])))
    return found


def _hours(rng: np.random.Generator, chain: Chain, store: Ints, shape: Ints, day: Ints) -> Ints:
    """The hour of the day of each purchase, by its shape."""
    shares = chain.shapes.cumsum(3)
    shares = shares / shares[:, :, :, -1:]
    drawn = rng.random(len(day))
    return (shares[store, shape, day % 7] < drawn[:, None]).sum(1)


def _receipts(rng: np.random.Generator, chain: Chain, busy: Floats, told: Ints) -> list[dict[int, dict[int, int]]]:
    """Receipts without a tracked SKU, by store: told in an hour, and when they occurred."""
    found: list[dict[int, dict[int, int]]] = [{} for _ in range(chain.size.stores)]
    for store in range(chain.size.stores):
        for day in range(chain.size.all_days):
            share = chain.shapes[store, 0, day % 7] * chain.receipts[store] * (CLOSES - OPENS) * busy[store, day]
            for hour in range(OPENS, CLOSES):
                for till in range(TILLS):
                    at = day * 24 + hour
                    in_hour = found[store].setdefault(int(told[store, till, at]), {})
                    in_hour[at] = in_hour.get(at, 0) + int(rng.poisson(share[hour] / TILLS))
    return found
