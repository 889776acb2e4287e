"""At which threshold would a silent shelf have been suspected, and was it empty? For all thresholds in one run.

Nobody acts on it, so that each threshold sees the same silences. A silence begins where streams.restock.demand says so;
at each threshold it is suspected once at most.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from restock.chain import Chain, Floats
from restock.shelves import Shelves
from streams.restock.shop import Shop

# What is compared with a threshold, from the silence's probability and the purchases expected in a standard hour.
Score = Callable[[Floats, Floats], Floats]


class Suspicion(NamedTuple):
    """An item's silence has passed a threshold in an hour; `spell` of hidden empty shelf, None where it was none."""

    threshold: int
    item: int
    hour: int
    spell: int | None


class Silences:
    """`thresholds` descend: what passes one has passed those before it."""

    def __init__(self, chain: Chain, score: Score, thresholds: Floats) -> None:
        self.size, self.score, self.thresholds = chain.size, score, thresholds
        self.found: list[Suspicion] = []
        self.odds = np.ones(chain.size.items)
        self._last = np.full(chain.size.items, -1.0)
        self._next = np.zeros(chain.size.items, np.int64)

    def passed(self, store: int, shop: Shop) -> None:
        """An hour of a store has been told."""
        for item in shop.items.values():
            at = store * self.size.skus + int(item.sku)
            demand = item.running()
            # A silence that is stretched by hours without stock is still the same; then it is improbable no more.
            silence = demand.silence(shop.trading.done, item.prior)
            began = demand.known_hours + demand.known_purchases
            if began != self._last[at]:
                self._last[at], self._next[at] = began, 0
            self.odds[at] = self.score(silence.probability, silence.shape / silence.hours)

    def judge(self, hour: int, shelves: Shelves) -> None:
        """See which thresholds have been passed, on shelves on which the books have stock."""
        for at in np.nonzero(self.odds < self.thresholds[self._next])[0]:
            item = int(at)
            if shelves.books[item] <= 0:
                continue
            while self._next[item] < len(self.thresholds) - 1 and self.odds[item] < self.thresholds[self._next[item]]:
                spell = shelves.spell(item, hidden=True)
                self.found.append(Suspicion(int(self._next[item]), item, hour, spell))
                self._next[item] += 1
