"""Each rule against its formula worked out by hand, and at its edges."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from streams.restock import rules
from streams.restock.demand import Rate, Silence
from streams.restock.policy import Policy
from streams.restock.rules import PROBABLE, SILENCE, Shelf

UNIT = 100_000
# A purchase every fourth standard hour, of 2 units, mean square 6; 12 standard hours a day: 6 units a day.
RATE = Rate(0.25, 2.0, 6.0)
TALKING = Silence(0.0, 20.0, 80.0, 1.0)


def shelf(on_hand=50, on_order=0, policy=None, **more):
    policy = policy or Policy()
    given = {
        "rate": RATE, "lead_hours": 12.0 * policy.lead_time, "review_hours": 12.0, "day_hours": 12.0,
        "silence": TALKING, "last_purchases": 0, "last_units": 0.0, "hour_hours": 1.0, "price": 30_000.0,
    }  # fmt: skip
    return Shelf(round(on_hand * UNIT), round(on_order * UNIT), policy, **{**given, **more})


@pytest.mark.parametrize(
    ("policy", "s", "up_to"),
    [
        # d L = 12, L var_d = 0.25 * 6 * 24 = 36, z(95 %) = 1.6449: 12 + 1.6449 * 6; S is a day's 6 units more.
        (Policy(), 12 + 1.644854 * 6, 12 + 1.644854 * 6 + 6),
        # var_L: (6 a day * 1 day)^2 = 36 more
        (Policy(lead_time_sd=1.0), 12 + 1.644854 * math.sqrt(72), 18 + 1.644854 * math.sqrt(72)),
        (Policy(service_level=0.5), 12.0, 18.0),
        (Policy(service_level=0.99), 12 + 2.326348 * 6, 18 + 2.326348 * 6),
        # never below a pack, and S a pack above s at least
        (Policy(pack=30 * UNIT), 30.0, 60.0),
        (Policy(reorder_point=7 * UNIT), 7.0, 13.0),
        (Policy(reorder_point=7 * UNIT, order_up_to=9 * UNIT), 7.0, 9.0),
        (Policy(reorder_point=7 * UNIT, order_up_to=3 * UNIT), 7.0, 8.0),
    ],
)
def test_the_reorder_point_is_what_the_formula_gives_by_hand(policy, s, up_to):
    levels = rules.reorder_levels(shelf(policy=policy))
    assert levels["reorder_point"] == pytest.approx(s, abs=1e-5)
    assert levels["order_up_to"] == pytest.approx(up_to, abs=1e-5)


@pytest.mark.parametrize(("level", "z"), [(0.90, 1.28), (0.95, 1.64), (0.98, 2.05), (0.99, 2.33)])
def test_the_safety_factor_is_the_tables(level, z):
    assert rules.z_of(level) == pytest.approx(z, abs=0.006)


FIXED = Policy(reorder_point=10 * UNIT, order_up_to=20 * UNIT)


@pytest.mark.parametrize(
    ("policy", "position", "ordered"),
    [
        (FIXED, 10, 10),
        (FIXED, 9.5, 11),  # whole packs
        (replace(FIXED, pack=6 * UNIT), 10, 12),
        (replace(FIXED, pack=6 * UNIT), 14, 6),
        (replace(FIXED, minimum_order=15 * UNIT), 10, 15),
        (replace(FIXED, minimum_order=15 * UNIT, pack=6 * UNIT), 10, 18),
        (replace(FIXED, shelf_capacity=16 * UNIT), 10, 6),
        (replace(FIXED, shelf_capacity=16 * UNIT, pack=4 * UNIT), 10, 4),
        (replace(FIXED, shelf_capacity=16 * UNIT, minimum_order=15 * UNIT), 10, 6),
        (replace(FIXED, shelf_capacity=8 * UNIT), 10, 0),  # full
        (FIXED, -5, 25),
        (FIXED, 25, 0),
    ],
)
def test_what_is_suggested_fills_up_in_whole_packs_at_least_the_minimum_and_no_more_than_fits(
    policy, position, ordered
):
    assert rules.suggested(position, rules.reorder_levels(shelf(policy=policy)), policy) == pytest.approx(ordered)


@pytest.mark.parametrize(
    ("on_hand", "on_order", "verdict"),
    [(10, 0, "fire"), (4, 6, "fire"), (11, 0, "hold"), (12, 0, "clear"), (0, 12, "clear"), (-3, 0, "fire")],
)
def test_low_stock_fires_at_the_level_and_clears_a_pack_above(on_hand, on_order, verdict):
    assert rules.reorder_point(shelf(on_hand, on_order, replace(FIXED, pack=UNIT))).verdict == verdict


@pytest.mark.parametrize(
    ("on_hand", "on_order", "verdict"), [(0, 0, "fire"), (-2, 0, "fire"), (0, 9, "fire"), (0.001, 0, "clear")]
)
def test_nothing_on_hand_is_a_stock_out_whatever_is_on_order(on_hand, on_order, verdict):
    assert rules.stock_out(shelf(on_hand, on_order)).verdict == verdict


@pytest.mark.parametrize(
    ("on_hand", "probability", "verdict"),
    [
        (5, SILENCE * 0.99, "fire"),
        (5, SILENCE, "hold"),
        (5, PROBABLE, "hold"),
        (5, PROBABLE * 1.01, "clear"),
        (1, SILENCE / 2, "fire"),
        (0.5, SILENCE / 2, "clear"),  # less than a unit is no stock that anyone could buy
        (0, SILENCE / 2, "clear"),
    ],
)
def test_a_shelf_is_suspected_by_how_improbable_its_silence_is(on_hand, probability, verdict):
    silence = Silence(40.0, 20.0, 80.0, probability)
    assert rules.silent_shelf(shelf(on_hand, silence=silence)).verdict == verdict


@pytest.mark.parametrize(
    ("purchases", "units", "on_hand", "verdict"),
    [
        (0, 0, 50, "clear"),
        (1, 2, 50, "clear"),  # P(1 or more | 0.25) = 0.22
        (2, 4, 50, "hold"),  # 0.026
        (4, 8, 50, "hold"),  # 0.00013
        (5, 10, 50, "fire"),  # 0.0000066, and 120 units a day at that rate: 0.4 days
        (5, 10, 500, "hold"),  # lasts 4 days, until an order comes
        (5, 10, 0, "clear"),  # that is a stock-out
    ],
)
def test_a_surge_is_many_purchases_within_an_hour_that_what_is_on_hand_does_not_outlast(
    purchases, units, on_hand, verdict
):
    assert rules.surge(shelf(on_hand, last_purchases=purchases, last_units=float(units))).verdict == verdict


@pytest.mark.parametrize(("many", "expected"), [(1, 0.25), (3, 1.0), (5, 0.25), (10, 12.0)])
def test_at_least_so_many_is_poissons_upper_tail(many, expected):
    upper = sum(math.exp(-expected) * expected**k / math.factorial(k) for k in range(many, 100))
    assert rules.at_least(many, expected) == pytest.approx(upper, rel=1e-6)


def test_days_of_cover_and_revenue_at_risk_are_by_the_usual_day():
    one = shelf(18)
    assert rules.days_of_cover(one) == pytest.approx(3.0)
    assert rules.lost_a_day(one) == 6 * 30_000
    assert rules.days_of_cover(shelf(-1)) == 0
    assert rules.lost_a_day(shelf(price=None)) is None
