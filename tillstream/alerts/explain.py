"""Why an alert fired: the arithmetic of its rule with the figures that it carries, for a person to check by hand.

The formulae are those of `streams/restock/rules.py`. What an alert does not carry is not made up: its step is left out.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import NamedTuple

from streams.restock.rules import FEWEST_IN_SURGE
from tillstream.alerts.found import FoundAlert

# Figures are shown with so many places; what differs by no more is the same.
_PLACES = 3
_SAME = 0.01

Figures = Mapping[str, float]


class Step(NamedTuple):
    """One line of the arithmetic: what is computed, from what, and what comes out, in `unit`; None for a comparison."""

    what: str
    formula: str
    result: float | None = None
    unit: str = ""
    note: str = ""


def explained(alert: FoundAlert) -> list[Step]:
    """The steps from the figures that made an alert fire to the verdict; empty where it carries none."""
    figures = alert.figures
    try:
        if alert.rule == "silent_shelf":
            return _silent_shelf(figures)
        if alert.rule == "surge":
            return _surge(figures, float(alert.on_hand))
        return _replenishment(alert, figures)
    except KeyError:  # written by a version that named its figures otherwise
        return []


def number(value: float) -> str:
    """A figure for people: three places at most, small ones as powers of ten."""
    if value and abs(value) < 10**-_PLACES:
        return f"{value:.2e}"
    return f"{value:,.{_PLACES}f}".rstrip("0").rstrip(".")


def _replenishment(alert: FoundAlert, figures: Figures) -> list[Step]:
    steps = [*_reorder_point(figures), _position(alert, figures)]
    point, position, pack = figures["reorder_point"], figures["position"], figures["pack"]
    if alert.rule == "reorder_point":
        steps.append(_verdict(f"{number(position)} <= {number(point)}", "position and reorder point"))
        steps.append(Step("clears above", f"{number(point)} + one pack of {number(pack)}", point + pack, "units"))
    else:
        steps.append(_verdict(f"{number(float(alert.on_hand))} <= 0", "on hand"))
    return [*steps, *_suggested(figures), *_money(figures)]


def _reorder_point(figures: Figures) -> list[Step]:
    days, a_day, demand = figures["lead_time_days"], figures["demand_a_day"], figures["lead_demand"]
    z, variance, deviation = figures["z"], figures["lead_variance"], figures["lead_time_sd_days"]
    pack, point = figures["pack"], figures["reorder_point"]
    steps = []
    if "service_level" in figures:
        steps.append(Step("z", f"of a service level of {number(100 * figures['service_level'])} %", z))
    if days > 0:
        steps.append(Step("lead demand", f"{number(days)} days x {number(a_day)} a day", demand, "units"))
    spread = math.sqrt(variance + (a_day * deviation) ** 2)
    late = f" + ({number(a_day)} x {number(deviation)} days)^2" if deviation else ""
    formula = f"{number(days)} days x {number(a_day)} a day + {number(z)} x sqrt({number(variance)}{late})"
    computed = demand + z * spread
    if _same(point, computed):
        note = ""
    elif _same(point, pack):
        note = f"that is {number(computed)}, and it is never below one pack of {number(pack)}"
    else:
        note = f"that would be {number(computed)}; a policy sets it"
    steps.append(Step("reorder point", formula, point, "units", note))
    return steps


def _position(alert: FoundAlert, figures: Figures) -> Step:
    formula = f"{number(float(alert.on_hand))} on hand + {number(float(alert.on_order))} on order"
    return Step("position", formula, figures["position"], "units")


def _suggested(figures: Figures) -> list[Step]:
    if "suggested_order" not in figures:
        return []
    point, up_to, position = figures["reorder_point"], figures["order_up_to"], figures["position"]
    pack, order = figures["pack"], figures["suggested_order"]
    if "review_demand" in figures:
        more = f"{number(figures['review_demand'])} sold in a review period, at least one pack"
    else:
        more = f"{number(up_to - point)} for a review period, at least one pack"
    missing = up_to - position
    packs = max(0, math.ceil(missing / pack - 1e-9)) * pack
    bounds = [
        f"{words} {number(figures[name])}"
        for name, words in (("minimum_order", "at least"), ("shelf_capacity", "up to a shelf of"))
        if figures.get(name)
    ]
    if not _same(order, packs) and not bounds:
        bounds = ["the policy's minimum order or shelf capacity decides"]
    return [
        Step("order up to", f"{number(point)} + {more}", up_to, "units"),
        Step(
            "suggested order",
            f"{number(up_to)} - {number(position)} = {number(missing)}, in packs of {number(pack)}",
            order,
            "units",
            ", ".join(bounds),
        ),
    ]


def _money(figures: Figures) -> list[Step]:
    if "day_demand" not in figures or "price" not in figures:
        return []
    a_day, price = figures["day_demand"], figures["price"]
    return [Step("lost a day", f"{number(a_day)} a day x {number(price)} a unit", a_day * price)]


def _silent_shelf(figures: Figures) -> list[Step]:
    hours, silent, shape = figures["hours"], figures["silent_hours"], figures["shape"]
    probability, threshold = figures["probability"], figures["threshold"]
    return [
        Step("usual", f"{number(shape)} purchases in {number(hours)} trading hours", shape / hours, "an hour"),
        Step("silence", "trading hours since the last purchase", silent, "hours"),
        Step(
            "probability of it",
            f"({number(hours)} / ({number(hours)} + {number(silent)}))^{number(shape)}",
            probability,
        ),
        _verdict(f"{number(probability)} < {number(threshold)}", "while the books have stock"),
    ]


def _surge(figures: Figures, on_hand: float) -> list[Step]:
    many, units = figures["purchases_in_hour"], figures["units_in_hour"]
    expected, probability, days = (
        figures["expected_purchases"],
        figures["probability"],
        figures["days_of_cover_at_surge"],
    )
    hours = on_hand / (units * days) if units > 0 and days > 0 else 0.0
    formula = f"1 - sum of e^-{number(expected)} x {number(expected)}^k / k! for k below {number(many)}"
    return [
        Step("purchases", f"of the last hour, where {number(expected)} were to be expected", many),
        Step("probability of so many", formula, probability),
        Step(
            "days of cover",
            f"{number(on_hand)} on hand / ({number(units)} an hour x {number(hours)} trading hours a day)",
            days,
            "days",
        ),
        _verdict(
            f"{number(probability)} < {number(figures['threshold'])}",
            f"with at least {FEWEST_IN_SURGE} purchases, and stock for less than the lead time",
        ),
    ]


def _verdict(comparison: str, note: str) -> Step:
    return Step("fires", comparison, note=note)


def _same(one: float, other: float) -> bool:
    return math.isclose(one, other, rel_tol=_SAME, abs_tol=10**-_PLACES)
