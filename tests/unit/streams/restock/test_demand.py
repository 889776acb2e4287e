"""How fast a SKU sells: against data whose rate is known. Rates are purchases a standard hour."""

from __future__ import annotations

import math
import random

import pytest

from streams.restock.demand import MEMORY, PRIOR_HOURS, UNIT, Demand, Prior

PRIOR = Prior(1 / 168, 1.0)


def bought_at(demand, rng, rate, begin, hours, units=lambda rng: 1):
    """Purchases of a Poisson process until the clock has moved on by so much; what was seen is told at its end."""
    clock = begin + rng.expovariate(rate)
    while clock < begin + hours:
        demand.bought(clock, units(rng) * UNIT, 0)
        clock += rng.expovariate(rate)
    demand.observe(begin + hours)


@pytest.mark.parametrize("rate", [0.02, 0.1, 1.0, 5.0])
def test_the_rate_converges_to_the_truth(rate):
    rng, found = random.Random(1), []
    for _ in range(60):
        demand = Demand()
        bought_at(demand, rng, rate, 0, 6 * MEMORY)
        found.append(demand.rate(PRIOR).rate)
    # The prior keeps some of the weight for good.
    expected = (rate * MEMORY + PRIOR.rate * PRIOR_HOURS) / (MEMORY + PRIOR_HOURS)
    assert sum(found) / len(found) == pytest.approx(expected, rel=0.1)


def test_a_prior_that_is_right_leaves_no_bias():
    rng, found = random.Random(2), []
    for _ in range(100):
        demand = Demand()
        bought_at(demand, rng, 0.1, 0, 300)
        found.append(demand.rate(Prior(0.1, 1.0)).rate)
    assert sum(found) / len(found) == pytest.approx(0.1, rel=0.07)


def test_a_rate_that_changes_is_followed_within_the_memory():
    rng, demand = random.Random(3), Demand()
    bought_at(demand, rng, 1.0, 0, 4 * MEMORY)
    bought_at(demand, rng, 3.0, 4 * MEMORY, 3 * MEMORY)
    assert demand.rate(PRIOR).rate == pytest.approx(3.0 * MEMORY / (MEMORY + PRIOR_HOURS), rel=0.15)


def test_units_of_a_purchase_and_their_squares_are_learned():
    rng, demand = random.Random(4), Demand()
    bought_at(demand, rng, 2.0, 0, 5 * MEMORY, lambda rng: rng.choice([1, 1, 4]))
    rate = demand.rate(PRIOR)
    assert rate.units == pytest.approx(2.0, rel=0.07)
    assert rate.squares == pytest.approx(6.0, rel=0.1)
    assert rate.variance(10) == pytest.approx(rate.rate * rate.squares * 10)


def test_hours_without_stock_do_not_lower_the_rate_where_they_do_unmasked():
    masked, unmasked, rng = Demand(), Demand(), random.Random(5)
    clock = 0.0
    for _ in range(40):  # 50 hours with stock, 50 without
        for demand in (masked, unmasked):
            bought_at(demand, random.Random(rng.random()), 0.5, clock, 50)
        masked.censored = True
        clock += 100
        masked.observe(clock)
        unmasked.observe(clock)
        masked.censored = False
    right = Prior(0.5, 1.0)
    assert masked.rate(right).rate == pytest.approx(0.5, rel=0.15)
    assert unmasked.rate(right).rate < 0.35


def test_without_purchases_the_rate_decays_towards_a_share_of_the_prior():
    demand = Demand()
    bought_at(demand, random.Random(6), 1.0, 0, 3 * MEMORY)
    rates = []
    for week in range(1, 80):
        demand.observe(3 * MEMORY + week * 84)
        rates.append(demand.rate(PRIOR).rate)
    assert rates == sorted(rates, reverse=True)
    assert rates[-1] == pytest.approx(PRIOR.rate * PRIOR_HOURS / (MEMORY + PRIOR_HOURS), rel=0.1)


@pytest.mark.parametrize("rate", [0.05, 0.5, 5.0])
@pytest.mark.parametrize("alpha", [0.1, 0.01])
def test_a_silence_whose_probability_is_below_alpha_comes_with_about_that_probability(rate, alpha):
    rng, below, gaps = random.Random(7), 0, 30_000
    demand, clock = Demand(), 0.0
    for _ in range(gaps):
        clock += rng.expovariate(rate)
        below += demand.silence(clock, Prior(rate, 1.0)).probability < alpha
        demand.bought(clock, UNIT, 0)
    # A little seldomer: chance makes an even SKU look uneven as often as the reverse, which is not believed.
    assert 0.6 * alpha < below / gaps < 1.1 * alpha


def test_what_is_bought_in_bursts_needs_a_longer_silence_to_be_suspected():
    rng, even, bursts, clock = random.Random(12), Demand(), Demand(), 0.0
    for _ in range(400):  # the same rate: a purchase each 2 hours, or 5 at once each 10
        for _ in range(5):
            clock += rng.expovariate(0.5)
            even.bought(clock, UNIT, 0)
        for _ in range(5):
            bursts.bought(clock, UNIT, 0)
    assert even.uneven == pytest.approx(1, abs=0.4)
    assert bursts.uneven > 2
    assert bursts.suspicious_at(PRIOR, 1e-4) > even.suspicious_at(PRIOR, 1e-4) + 10


def test_it_says_beforehand_at_which_clock_a_silence_will_be_suspicious():
    demand = Demand()
    bought_at(demand, random.Random(8), 0.5, 0, 1_000)
    at = demand.suspicious_at(PRIOR, 0.001)
    assert demand.silence(at, PRIOR).probability == pytest.approx(0.001)


def test_what_never_sells_is_never_suspicious():
    assert Demand().suspicious_at(Prior(1e-5, 1.0), 0.001) == math.inf


def test_a_silence_without_stock_is_none():
    demand = Demand()
    bought_at(demand, random.Random(9), 1.0, 0, 500)
    demand.bought(500, UNIT, 0)
    demand.censored = True
    demand.observe(900)
    assert demand.silence(900, PRIOR).probability == 1
    demand.censored = False
    assert demand.silence(903, PRIOR).silent == pytest.approx(3)


def test_whoever_stands_at_the_shelf_ends_a_silence():
    demand = Demand()
    bought_at(demand, random.Random(10), 1.0, 0, 500)
    demand.observe(700)
    assert demand.silence(700, PRIOR).probability < 1e-6
    demand.looked(700)
    assert demand.silence(700, PRIOR).probability == 1


def test_a_purchase_that_is_taken_back_leaves_what_was_before():
    demand, same = Demand(), Demand()
    for one in (demand, same):
        bought_at(one, random.Random(11), 0.5, 0, 400, lambda rng: rng.choice([1, 3]))
    demand.bought(400, 2 * UNIT, 40_000)
    demand.bought(400, -2 * UNIT, -40_000)
    assert demand.rate(PRIOR) == pytest.approx(same.rate(PRIOR))
    assert demand.price() is None


def test_before_anything_was_seen_the_prior_is_all_that_is_known():
    assert Demand().rate(Prior(0.3, 2.0)) == pytest.approx((0.3, 2.0, 6.0))
