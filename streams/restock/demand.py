"""How fast one SKU sells in one store: TSB on the store's own clock.

TSB (Teunter, Syntetos and Babai 2011) smooths two things apart: how often the SKU is bought, which decays while it is
not, and how much is bought each time. Here the first runs over standard trading hours (streams.restock.trading) instead
of calendar periods, so that closed hours and quiet days are no evidence of lost demand; and both begin at what like
stores sell, whose weight fades as the store's own evidence grows (the conjugate Gamma prior of a Poisson rate; a plain
TSB has the same expectation once its memory is full, and is biased towards its first value until then).

Hours without stock are censored: nothing can be bought, so they are no evidence, and the clock stands still.
"""

from __future__ import annotations

import ctypes
import math
from typing import NamedTuple

from kernel.library import DEMAND

# Standard trading hours after which evidence weighs 1/e: six weeks of twelve hours.
MEMORY = 500.0
# The prior weighs as much as so many standard hours of evidence, and as one purchase as to how much is bought.
# Chosen with the simulator (docs/restock.md): from 10 to 50 hours all lose about as little, 100 and more lose more.
PRIOR_HOURS = 30.0
PRIOR_PURCHASES = 1.0
# Below it no silence is long enough: 0.001 ** (-1 / 0.05) is 10^60.
LEAST_SHAPE = 0.05
UNIT = 100_000
# How unevenly a SKU is bought is the average of so many silences that a purchase ended, each with evidence of at least
# so many purchases, and none surprising by more: one that was an empty shelf says nothing of how customers come.
SILENCES_REMEMBERED = 100
FEWEST_TO_TELL = 5.0
MOST_SURPRISE = 7.0


class Prior(NamedTuple):
    """What to expect of a SKU before its store has shown anything: purchases a standard hour, units a purchase.

    Without like stores and category: one unit in a fortnight of twelve-hour days.
    """

    rate: float = 1 / 168
    units: float = 1.0

    @property
    def squares(self) -> float:
        """Mean square of the units of a purchase: as if they were geometrically distributed, from one on."""
        return self.units * max(self.units, 2 * self.units - 1)


class Rate(NamedTuple):
    """What is known of the demand: purchases in a standard hour, units of one, and the mean square of these."""

    rate: float
    units: float
    squares: float

    def mean(self, hours: float) -> float:
        """Units to be expected in so many standard hours."""
        return self.rate * self.units * hours

    def variance(self, hours: float) -> float:
        """Variance of the units in so many standard hours: of a compound Poisson process, rate * E[units^2] * hours."""
        return self.rate * self.squares * hours


class Silence(NamedTuple):
    """Standard hours with stock since the last purchase, and how probable it is that nobody buys for so long.

    (hours / (hours + silent)) ** shape: Poisson's zero term, averaged over what the store had shown of the rate by
    then, a Gamma distribution of so many hours. A rate that is hardly known makes no silence suspicious. `shape` is the
    Gamma's divided by how unevenly the SKU is bought: what sells at weekends has long silences that mean nothing.
    """

    silent: float
    shape: float
    hours: float
    probability: float


class Demand(DEMAND):
    """Sums of what was seen, each weighing less the longer ago it was.

    `hours` of evidence; in these so many `purchases`, `units`, `squares` (of units of a purchase) and `revenue` (ten-
    thousandths). `until` is the store's clock up to which the hours are counted. `last` is what it showed at the last
    purchase, or when somebody last stood at the shelf; `known_purchases` and `known_hours` the purchases and hours of
    evidence by then. `uneven` is 1 for a Poisson process, more where long silences are more frequent: -ln of a
    silence's probability is exponentially distributed then, so half the mean of its square.

    The numbers lie where the kernel reaches them: kernel/items.c does `observe` and `bought` for the many purchases of
    a message, to the same numbers.
    """

    hours: float
    purchases: float
    units: float
    squares: float
    revenue: float
    until: float
    last: float
    known_purchases: float
    known_hours: float
    uneven: float

    def __init__(self) -> None:
        super().__init__(uneven=1.0)

    @classmethod
    def of(cls, numbers: ctypes.Structure, at: int) -> Demand:
        """The demand that stands in other numbers, from a byte on."""
        found = cls.from_buffer(numbers, at)
        found.uneven = 1.0
        return found

    def __eq__(self, other: object) -> bool:
        """Whether all numbers are the same."""
        return isinstance(other, Demand) and bytes(self) == bytes(other)

    __hash__ = None  # type: ignore[assignment]  # it changes

    def observe(self, clock: float) -> None:
        """The store's clock has moved on; where the shelf was empty that says nothing."""
        passed = clock - self.until
        if passed <= 0:
            return
        self.until = clock
        if self.censored:
            self.last += passed  # silence without stock is no silence
            return
        kept = math.exp(-passed / MEMORY)
        self.hours = self.hours * kept + MEMORY * (1 - kept)
        self.purchases *= kept
        self.units *= kept
        self.squares *= kept
        self.revenue *= kept

    def bought(self, clock: float, units: int, revenue: int) -> None:
        """A purchase of so many units (hundred-thousandths), or with negative ones a purchase that was taken back."""
        self.observe(clock)
        many = units / UNIT
        if many > 0:
            self.purchases += 1
            self.squares += many * many
            self._learn_silence()
            self._begin_silence()
        elif self.purchases >= 1 and self.units + many > 0:
            self.purchases -= 1
            self.squares = max(0.0, self.squares - many * many)
        else:
            return
        self.units += many
        self.revenue = max(0.0, self.revenue + revenue)

    def rate(self, prior: Prior) -> Rate:
        """What is known by now."""
        shape = self.purchases + PRIOR_HOURS * prior.rate
        hours = self.hours + PRIOR_HOURS
        weight = self.purchases + PRIOR_PURCHASES
        return Rate(
            shape / hours,
            (self.units + PRIOR_PURCHASES * prior.units) / weight,
            (self.squares + PRIOR_PURCHASES * prior.squares) / weight,
        )

    def price(self) -> float | None:
        """Money that a unit brings (ten-thousandths), None while none was sold."""
        return self.revenue / self.units if self.units > 0 and self.revenue > 0 else None

    def silence(self, clock: float, prior: Prior) -> Silence:
        """How long nobody has bought it by now, and how probable that is."""
        shape, hours = self._at_last(prior)
        silent = 0.0 if self.censored else max(0.0, clock - self.last)
        return Silence(silent, shape, hours, (hours / (hours + silent)) ** shape)

    def suspicious_at(self, prior: Prior, probability: float) -> float:
        """What the store's clock will show when the silence gets so improbable; infinity where it never does."""
        shape, hours = self._at_last(prior)
        return self.last + hours * (probability ** (-1 / shape) - 1) if shape > LEAST_SHAPE else math.inf

    def looked(self, clock: float) -> None:
        """Somebody has stood at the shelf: what was silent before is explained."""
        self.observe(clock)
        self._begin_silence()

    def resume(self, clock: float) -> None:
        """Go on from here: what the store did meanwhile is no evidence."""
        self.until = self.last = clock

    def _learn_silence(self) -> None:
        purchases, hours = self.known_purchases, self.known_hours
        if purchases < FEWEST_TO_TELL or hours <= 0:
            return
        surprise = min(purchases * math.log1p((self.until - self.last) / hours), MOST_SURPRISE)
        self.uneven += (surprise * surprise / 2 - self.uneven) / SILENCES_REMEMBERED

    def _begin_silence(self) -> None:
        self.last, self.known_purchases, self.known_hours = self.until, self.purchases, self.hours

    def _at_last(self, prior: Prior) -> tuple[float, float]:
        shape = self.known_purchases + PRIOR_HOURS * prior.rate
        return shape / max(1.0, self.uneven), self.known_hours + PRIOR_HOURS
