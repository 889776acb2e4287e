"""What the tills of a synthetic chain send, day by day, the same for the same seed: as columns, no text yet.

500 stores of different size are open for 14 hours a day, busiest around three in the afternoon; 30,000 SKUs sell by
Zipf's law (lib.chain has the same chain as rows of ClickHouse). Most receipts arrive within seconds, so that they are
a little out of order; some wait for minutes, some for up to three days in a till that is offline; some are sent twice,
and very few come after days, too late for a grace of four.

Times here are seconds since the midnight with which the chain begins. Money is in cents.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

import numpy as np

from lib.chain import SKUS, STORES

Array = np.ndarray[Any, Any]

DAYS, LINES = 90, 150_000_000
LINES_A_DAY = LINES / DAYS
LINES_A_RECEIPT = 10
# A Monday in the past, whenever this is run: a receipt from the future is refused.
FIRST_DAY = date(2024, 9, 2)
DAY, HOUR, MINUTE = 86_400, 3_600, 60
# A window, as the key of a row has it.
WINDOW = 5 * MINUTE
OPENS, CLOSES = 8 * HOUR, 22 * HOUR
VARIANTS = 8

_WEEKDAYS = (0.95, 0.90, 0.95, 1.00, 1.20, 1.30, 0.70)
_LONGEST_RECEIPT = 150
_RETURNS = 0.01
_COPIES, _COPY_WITHIN = 0.003, 10 * MINUTE
# Shares of all receipts, and how long each then takes to arrive, at least and at most.
_SLOW, _SLOW_FOR = 0.02, (MINUTE, 15 * MINUTE)
_OFFLINE, _OFFLINE_FOR = 0.003, (HOUR, 72 * HOUR)
_TOO_LATE, _TOO_LATE_FOR = 0.0002, (5 * DAY, 6 * DAY)

HEAD = np.dtype(
    [("arrival", "i8"), ("occurred", "i8"), ("store", "i4"), ("till", "i4"), ("sequence", "i4"),
     ("lines", "i4"), ("returned", "?"), ("copy", "?")]
)  # fmt: skip
LINE = np.dtype([("sku", "i4"), ("variant", "i4")])


@dataclass(frozen=True, slots=True)
class Chain:
    """A chain that sells about so many lines a day."""

    lines_a_day: float = LINES_A_DAY
    seed: int = 1

    def receipts(self, day: int) -> tuple[Array, Array]:
        """(heads, lines) of all that is sold on a day, by store and time, copies aside; lines in the heads' order."""
        chance = np.random.default_rng([self.seed, day])
        many = chance.poisson(self._sizes() * self.lines_a_day / LINES_A_RECEIPT * _WEEKDAYS[day % 7])
        heads = np.zeros(many.sum(), HEAD)
        heads["store"] = np.repeat(np.arange(STORES), many)
        heads["occurred"] = day * DAY + _moments(chance, len(heads))
        heads.sort(order=("store", "occurred"))
        first = np.cumsum(many) - many
        heads["sequence"] = np.arange(len(heads)) - np.repeat(first, many) + 1
        heads["till"] = chance.integers(1, 9, len(heads))
        more = chance.negative_binomial(1.5, 1.5 / (1.5 + LINES_A_RECEIPT - 1), len(heads))
        heads["lines"] = np.minimum(1 + more, _LONGEST_RECEIPT)
        heads["returned"] = chance.random(len(heads)) < _RETURNS
        heads["arrival"] = heads["occurred"] + _delays(chance, len(heads))
        lines = np.zeros(heads["lines"].sum(), LINE)
        lines["sku"] = np.exp(chance.random(len(lines)) * np.log(SKUS + 1)) - 1
        lines["variant"] = chance.integers(0, VARIANTS, len(lines))
        return heads, lines

    def copies(self, day: int, heads: Array) -> tuple[Array, Array]:
        """(indices, heads) of the receipts of a day that are sent once more, the same bytes a while later."""
        chance = np.random.default_rng([self.seed, day, 1])
        on_time = heads["arrival"] - heads["occurred"] <= _OFFLINE_FOR[1]
        chosen = np.flatnonzero((chance.random(len(heads)) < _COPIES) & on_time)
        again = heads[chosen]
        again["arrival"] += chance.integers(1, _COPY_WITHIN, len(again))
        again["copy"] = True
        return chosen, again

    def _sizes(self) -> Array:
        """Each store's share of what is sold: the largest sell some ten times what the smallest do."""
        sizes = np.random.default_rng(self.seed).lognormal(0, 0.4, STORES)
        return sizes / sizes.sum()


def name_of(day: int) -> str:
    """A day of the chain, as receipts write it."""
    return str(FIRST_DAY + timedelta(days=day))


def _moments(chance: np.random.Generator, many: int) -> Array:
    """Seconds of a day, by the curve that lib.chain draws: 0.6 at both ends of the opening hours, 1.4 between."""
    seconds = np.arange(CLOSES - OPENS)
    curve = np.cumsum(0.6 + 0.8 * np.sin(np.pi * seconds / len(seconds)))
    return OPENS + np.searchsorted(curve, chance.random(many) * curve[-1])


def _delays(chance: np.random.Generator, many: int) -> Array:
    """Seconds from a receipt's time until it arrives."""
    delays = chance.exponential(5, many)
    kind, begin = chance.random(many), 0.0
    for share, (least, most) in ((_SLOW, _SLOW_FOR), (_OFFLINE, _OFFLINE_FOR), (_TOO_LATE, _TOO_LATE_FOR)):
        those = (kind >= begin) & (kind < begin + share)
        delays[those] = chance.uniform(least, most, those.sum())
        begin += share
    return delays.astype("i8")
