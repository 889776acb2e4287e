"""What like stores sell of a SKU in a standard trading hour: from what was sold, else from its category. Pure.

Like stores are those that sell the SKU. A standard trading hour of a store is its average hour with receipts, as in
streams.restock.trading. Of each store count the hours after the one in which it sold the SKU first: so a new SKU is not
taken for a slow one, and that a store is among these because it sold something does not make the SKU faster.

    purchases an hour   p = (n + 30 c) / (H + 30)     n: purchases in these hours, of all stores; H: standard hours
    units a purchase    z = (u + 1 e) / (m + 1)       u: units, m: purchases, of all stores and hours

c and e are the category's: the medians of n / H and of u / m, over those of its SKUs that were bought again. The
weights are those by which a store's own evidence is added to this (streams.restock.demand).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from statistics import median
from typing import NamedTuple

from schemas.feed import Known
from streams.restock.demand import PRIOR_HOURS, PRIOR_PURCHASES, Prior

# A rate that differs by less is the same: it weighs as much as 30 hours of evidence, and the feed is kept for ever.
SAME_WITHIN = 0.1
_DIGITS = 6


@dataclass(slots=True)
class Sold:
    """Of a SKU, over all stores that sold it: `later` purchases in `hours` after the hour of each store's first one."""

    stores: int = 0
    purchases: int = 0
    units: float = 0.0
    later: int = 0
    hours: float = 0.0

    def add(self, purchases: int, units: float, later: int, hours: float) -> None:
        """Another store."""
        self.stores += 1
        self.purchases += purchases
        self.units += units
        self.later += max(0, later)
        self.hours += hours


class Rate(NamedTuple):
    """Purchases in a standard trading hour, and units a purchase."""

    rate: float
    units: float


def categories(sold: Mapping[str, Sold], category_of: Mapping[str, str]) -> dict[str, Rate]:
    """The median of each category of which something was bought again."""
    rates: dict[str, list[float]] = defaultdict(list)
    units: dict[str, list[float]] = defaultdict(list)
    for sku, one in sold.items():
        category = category_of.get(sku, "")
        if category and one.later > 0 and one.hours > 0:
            rates[category].append(one.later / one.hours)
            units[category].append(one.units / one.purchases)
    return {category: Rate(median(found), median(units[category])) for category, found in rates.items()}


def learned(sold: Mapping[str, Sold], category_of: Mapping[str, str]) -> dict[str, Known]:
    """Of each SKU that was sold, or whose category was: its rates. Without a category the default takes its place."""
    by_category = categories(sold, category_of)
    default = Rate(*Prior())
    found: dict[str, Known] = {}
    for sku in {**sold, **category_of}:
        usual = by_category.get(category_of.get(sku, ""))
        one = sold.get(sku)
        if one is not None:
            found[sku] = _known(_weighed(one, usual or default))
        elif usual is not None:
            found[sku] = _known(usual)
    return found


def _weighed(sold: Sold, usual: Rate) -> Rate:
    rate = (sold.later + PRIOR_HOURS * usual.rate) / (sold.hours + PRIOR_HOURS)
    return Rate(rate, (sold.units + PRIOR_PURCHASES * usual.units) / (sold.purchases + PRIOR_PURCHASES))


def _known(rate: Rate) -> Known:
    return Known(
        purchases_an_hour=float(f"{rate.rate:.{_DIGITS}g}"), units_a_purchase=float(f"{rate.units:.{_DIGITS}g}")
    )


def worth_telling(before: Known | None, now: Known) -> bool:
    """Whether it differs from what the feed says by so much that anybody would notice."""
    if before is None:
        return True
    return not (
        _alike(before.purchases_an_hour, now.purchases_an_hour)
        and _alike(before.units_a_purchase, now.units_a_purchase)
    )


def _alike(before: float | None, now: float | None) -> bool:
    if before is None or now is None:
        return before is now
    return abs(before - now) <= SAME_WITHIN * max(before, now)
