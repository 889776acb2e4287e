"""What an alert is explained by: each line can be computed anew from the figures that stand in it."""

from __future__ import annotations

import math
from decimal import Decimal

import pytest

from streams.restock import rules
from streams.restock.demand import Rate, Silence
from streams.restock.policy import Policy
from streams.restock.rules import Shelf
from tests.unit.schemas.restock import FIGURES
from tillstream.alerts.explain import explained, number
from tillstream.alerts.shown import line

from .alerts import found

UNIT = 100_000


def shelf(on_hand=5, on_order=0, silent=0.0, purchases=0, units=0.0, **settings):
    """A SKU of which 3 purchases of about 2 units are made in a standard hour of a store that does 12 of them a day."""
    settings = {"lead_time": 2.0, "pack": 6 * UNIT, **settings}
    return Shelf(
        on_hand * UNIT, on_order * UNIT, Policy(**settings), Rate(0.3, 2.0, 5.0), 24.0, 12.0, 12.0,
        Silence(silent, 30.0, 100.0, (100 / (100 + silent)) ** 30), purchases, units, 1.0, 250_000.0,
    )  # fmt: skip


def lines(rule, of, **fields):
    """Lines of the explanation, with the figures that the rule itself gives."""
    figures = getattr(rules, rule)(of).figures
    alert = found(
        rule=rule, figures=figures, on_hand=Decimal(of.on_hand) / UNIT, on_order=Decimal(of.on_order) / UNIT, **fields
    )
    return [line(step, 0) for step in explained(alert)]


def said(name, *given, **more):
    """The line that begins with a name."""
    [found_line] = [one for one in lines(*given, **more) if one.startswith(f"{name} = ")]
    return found_line


def test_a_reorder_point_is_told_from_lead_time_demand_and_safety():
    assert [line(step, 0) for step in explained(found())] == [
        "lead demand = 2 days x 3.1 a day = 6.2 units",
        "reorder point = 2 days x 3.1 a day + 1.645 x sqrt(9) = 11.135 units",
        "position = 5 on hand + 0 on order = 5 units",
        "fires: 5 <= 11.135  (position and reorder point)",
        "clears above = 11.135 + one pack of 6 = 17.135 units",
        "order up to = 11.135 + 3.1 for a review period, at least one pack = 14.235 units",
        "suggested order = 14.235 - 5 = 9.235, in packs of 6 = 12 units",
    ]


def test_the_rules_own_figures_come_out_as_the_lines_say():
    point = 14.4 + 1.6448536269514722 * math.sqrt(36)
    told = f"reorder point = 2 days x 7.2 a day + 1.645 x sqrt(36) = {number(point)} units"
    assert said("reorder point", "reorder_point", shelf()) == told
    assert said("suggested order", "reorder_point", shelf()).endswith("in packs of 6 = 30 units")
    assert said("z", "reorder_point", shelf()) == "z = of a service level of 95 % = 1.645"
    assert said("lost a day", "reorder_point", shelf()) == "lost a day = 7.2 a day x 25 a unit = 180"


def test_a_lead_time_that_varies_stands_under_the_root():
    assert "sqrt(36 + (7.2 x 0.5 days)^2)" in said("reorder point", "reorder_point", shelf(lead_time_sd=0.5))


@pytest.mark.parametrize(
    ("settings", "note"),
    [
        ({"reorder_point": 40 * UNIT}, "= 40 units  (that would be 24.269; a policy sets it)"),
        ({"pack": 48 * UNIT}, "= 48 units  (that is 24.269, and it is never below one pack of 48)"),
    ],
)
def test_a_point_that_the_formula_does_not_give_says_what_gave_it(settings, note):
    assert said("reorder point", "reorder_point", shelf(**settings)).endswith(note)


@pytest.mark.parametrize(
    ("settings", "note"),
    [
        ({"minimum_order": 90 * UNIT}, "= 90 units  (at least 90)"),
        ({"shelf_capacity": 20 * UNIT}, "= 12 units  (up to a shelf of 20)"),
    ],
)
def test_an_order_that_the_packs_do_not_give_names_the_policy(settings, note):
    assert said("suggested order", "reorder_point", shelf(**settings)).endswith(note)


def test_a_stock_out_is_told_by_what_is_on_hand():
    told = lines("stock_out", shelf(on_hand=0, on_order=6))
    assert "position = 0 on hand + 6 on order = 6 units" in told
    assert "fires: 0 <= 0  (on hand)" in told


def test_more_figures_are_used_where_an_alert_has_them():
    more = {**FIGURES, "service_level": 0.95, "day_demand": 3.1, "price": 27.18, "review_demand": 3.1}
    told = [line(step, 0) for step in explained(found(figures=more))]
    assert told[0] == "z = of a service level of 95 % = 1.645"
    assert told[-1] == "lost a day = 3.1 a day x 27.18 a unit = 84.258"
    assert any("3.1 sold in a review period" in one for one in told)


def test_a_silent_shelf_is_told_by_how_improbable_the_silence_is():
    told = lines("silent_shelf", shelf(silent=50.0))
    assert told == [
        "usual = 30 purchases in 100 trading hours = 0.3 an hour",
        "silence = trading hours since the last purchase = 50 hours",
        f"probability of it = (100 / (100 + 50))^30 = {(100 / 150) ** 30:.2e}",
        f"fires: {(100 / 150) ** 30:.2e} < 1.00e-04  (while the books have stock)",
    ]


def test_a_surge_is_told_by_how_many_purchases_were_to_be_expected():
    told = lines("surge", shelf(on_hand=100, purchases=9, units=20.0))
    assert told[0] == "purchases = of the last hour, where 0.3 were to be expected = 9"
    assert "e^-0.3 x 0.3^k / k! for k below 9" in told[1]
    assert told[2] == "days of cover = 100 on hand / (20 an hour x 12 trading hours a day) = 0.417 days"
    assert told[3].startswith("fires: ")


@pytest.mark.parametrize("rule", ["reorder_point", "stock_out", "silent_shelf", "surge"])
def test_an_alert_without_figures_has_no_arithmetic(rule):
    assert explained(found(rule=rule, figures={})) == []


@pytest.mark.parametrize(
    ("value", "text"), [(0, "0"), (12.0, "12"), (1234.5678, "1,234.568"), (0.00012, "1.20e-04"), (-0.25, "-0.25")]
)
def test_figures_are_short(value, text):
    assert number(value) == text
