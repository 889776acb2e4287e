"""How a SKU is to be replenished: settings by store, SKU and category, of which the most specific holds."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import NamedTuple

UNIT = 100_000


@dataclass(frozen=True, slots=True)
class Policy:
    """What holds for one SKU in one store. Days for times, hundred-thousandths for quantities.

    `reorder_point` and `order_up_to` are s and S where somebody has set them; else they are computed. The alert is
    critical from `critical_per_day` of lost revenue on, a warning from `warning_per_day` on (ten-thousandths).
    """

    lead_time: float = 2.0
    lead_time_sd: float = 0.0
    service_level: float = 0.95
    review_period: float = 1.0
    pack: int = UNIT
    minimum_order: int = 0
    shelf_capacity: int | None = None
    reorder_point: int | None = None
    order_up_to: int | None = None
    critical_per_day: int = 500_000
    warning_per_day: int = 50_000


DEFAULT = Policy()


class PolicyRule(NamedTuple):
    """Settings for what it names: empty is any. `settings` maps names of a Policy's fields to values."""

    settings: dict[str, float | int]
    store: str = ""
    sku: str = ""
    category: str = ""

    @property
    def specificity(self) -> tuple[bool, bool, bool]:
        """What goes before what: a SKU before its category, either of these in a store before everywhere."""
        return bool(self.sku), bool(self.category), bool(self.store)

    def holds_for(self, store: str, sku: str, category: str) -> bool:
        """Whether it names them."""
        return self.store in ("", store) and self.sku in ("", sku) and self.category in ("", category)


class Policies:
    """All rules of one version. Each setting comes from the most specific rule that has it, the last of equals."""

    def __init__(self, rules: Iterable[PolicyRule] = ()) -> None:
        self.rules = sorted(rules, key=lambda rule: rule.specificity)

    def __eq__(self, other: object) -> bool:
        """Whether they say the same."""
        return isinstance(other, Policies) and self.rules == other.rules

    __hash__ = None  # type: ignore[assignment]  # rules hold dictionaries

    def of(self, store: str, sku: str, category: str = "") -> Policy:
        """The policy of a SKU in a store."""
        found: dict[str, float | int] = {}
        for rule in self.rules:
            if rule.holds_for(store, sku, category):
                found.update(rule.settings)
        return replace(DEFAULT, **found) if found else DEFAULT  # type: ignore[arg-type]  # checked where they are read
