"""The four rules: pure functions of one SKU's figures in one store, each with what made it judge so.

Quantities are hundred-thousandths, money ten-thousandths, times days or standard trading hours as their names say.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from functools import lru_cache
from statistics import NormalDist
from typing import Literal

from streams.restock.demand import UNIT, Rate, Silence
from streams.restock.policy import Policy

Verdict = Literal["fire", "hold", "clear"]
Figures = dict[str, float]
MONEY = 10_000

# A shelf on which the books have stock is suspect once a silence of this length is so improbable. Chosen with the
# simulator (docs/restock.md) so that three of four alerts find the shelf empty.
SILENCE = 1e-4
PROBABLE = 0.5
# A surge: so many purchases within an hour are so improbable, and at least so many.
SURGE = 1e-4
SURGE_OVER = 0.05
FEWEST_IN_SURGE = 5


@dataclass(frozen=True, slots=True)
class Judged:
    """What a rule says: fire, clear, or neither (`hold`), between which an alert stays as it is.

    `figures` are what it was computed from and what came out, by which a person can check it.
    """

    verdict: Verdict
    figures: Figures = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Shelf:
    """All that the rules look at. `lead_hours` and `day_hours` are standard hours: of the lead time from now, of a day.

    `last_purchases` and `last_units` are of the last sixty minutes, `hour_hours` the standard hours of business that
    were to be expected in these, or done, whichever is more; `price` is money a unit, None while it is not known.
    """

    on_hand: int
    on_order: int
    policy: Policy
    rate: Rate
    lead_hours: float
    review_hours: float
    day_hours: float
    silence: Silence
    last_purchases: int
    last_units: float
    hour_hours: float
    price: float | None


def reorder_levels(shelf: Shelf) -> Figures:
    """Reorder point s and order-up-to level S, in units.

    s = d*L + z*sqrt(L*var_d + d^2*var_L) (Silver, Pyke and Thomas 2017, section 6.7), where the sum over the lead
    time's own hours stands for d*L and L*var_d, and never below one pack; S is s and what a review period sells, and at
    least one pack more.
    """
    policy = shelf.policy
    z = z_of(policy.service_level)
    lead_demand = shelf.rate.mean(shelf.lead_hours)
    lead_variance = shelf.rate.variance(shelf.lead_hours)
    a_day = lead_demand / policy.lead_time if policy.lead_time > 0 else shelf.rate.mean(shelf.day_hours)
    spread = math.sqrt(lead_variance + (a_day * policy.lead_time_sd) ** 2)
    pack = policy.pack / UNIT
    s = policy.reorder_point / UNIT if policy.reorder_point is not None else max(lead_demand + z * spread, pack)
    up_to = policy.order_up_to / UNIT if policy.order_up_to is not None else s + shelf.rate.mean(shelf.review_hours)
    return {
        "service_level": policy.service_level,
        "z": z,
        "lead_time_days": policy.lead_time,
        "lead_time_sd_days": policy.lead_time_sd,
        "demand_a_day": a_day,
        "lead_demand": lead_demand,
        "lead_variance": lead_variance,
        "reorder_point": s,
        "review_demand": shelf.rate.mean(shelf.review_hours),
        "order_up_to": max(up_to, s + pack),
        "pack": pack,
        "minimum_order": policy.minimum_order / UNIT,
        "day_demand": shelf.rate.mean(shelf.day_hours),
        **({} if policy.shelf_capacity is None else {"shelf_capacity": policy.shelf_capacity / UNIT}),
        **({} if shelf.price is None else {"price": shelf.price / MONEY}),
    }


@lru_cache(maxsize=256)
def z_of(service_level: float) -> float:
    """Standard deviations that a cycle service level asks for: 1.64 for 95 %."""
    return NormalDist().inv_cdf(service_level)


def suggested(position: float, levels: Figures, policy: Policy) -> float:
    """Units to order: up to S, in whole packs, at least the minimum, and no more than fits on the shelf."""
    pack = policy.pack / UNIT
    wanted = max(levels["order_up_to"] - position, policy.minimum_order / UNIT)
    packs = math.ceil(wanted / pack - 1e-9)
    if policy.shelf_capacity is not None:
        packs = min(packs, math.floor((policy.shelf_capacity / UNIT - position) / pack + 1e-9))
    return max(0, packs) * pack


def reorder_point(shelf: Shelf) -> Judged:
    """What is on hand and on order does not last until an order placed now arrives; clear one pack above."""
    levels = reorder_levels(shelf)
    position = (shelf.on_hand + shelf.on_order) / UNIT
    figures = {**levels, "position": position, "suggested_order": suggested(position, levels, shelf.policy)}
    if position <= levels["reorder_point"]:
        return Judged("fire", figures)
    return Judged("clear" if position > levels["reorder_point"] + levels["pack"] else "hold", figures)


def stock_out(shelf: Shelf) -> Judged:
    """Nothing is on hand. What it costs a day: the units that would have been sold, at what a unit has brought."""
    if shelf.on_hand > 0:
        return Judged("clear")
    levels = reorder_levels(shelf)
    position = (shelf.on_hand + shelf.on_order) / UNIT
    figures = {**levels, "position": position, "suggested_order": suggested(position, levels, shelf.policy)}
    return Judged("fire", figures)


def silent_shelf(shelf: Shelf) -> Judged:
    """The books have stock, and yet nobody buys: the shelf may be empty, or the goods in the wrong place."""
    silence = shelf.silence
    probability = silence.probability
    figures = {
        "shape": silence.shape,
        "hours": silence.hours,
        "silent_hours": silence.silent,
        "probability": probability,
        "threshold": SILENCE,
    }
    if shelf.on_hand < UNIT:
        return Judged("clear", figures)
    # Whoever buys, or looks, begins the silence anew: it is probable again at once.
    return Judged("fire" if probability < SILENCE else "clear" if probability > PROBABLE else "hold", figures)


def surge(shelf: Shelf) -> Judged:
    """Far more is bought within an hour than the hour lets expect, and what is on hand will not last at that rate."""
    expected = shelf.rate.rate * shelf.hour_hours
    probability = at_least(shelf.last_purchases, expected)
    if shelf.on_hand <= 0 or shelf.last_units <= 0 or probability > SURGE_OVER:
        return Judged("clear")
    days = shelf.on_hand / UNIT / (shelf.last_units * shelf.day_hours)
    figures = {
        "purchases_in_hour": float(shelf.last_purchases),
        "units_in_hour": shelf.last_units,
        "expected_purchases": expected,
        "probability": probability,
        "threshold": SURGE,
        "hours_a_day": shelf.day_hours,
        "lead_time_days": shelf.policy.lead_time,
        "days_of_cover_at_surge": days,
    }
    sudden = probability < SURGE and shelf.last_purchases >= FEWEST_IN_SURGE
    return Judged("fire" if sudden and days < shelf.policy.lead_time else "hold", figures)


def at_least(many: int, expected: float) -> float:
    """Probability of at least so many events where a Poisson process lets so many expect."""
    if many <= 0:
        return 1.0
    if expected <= 0:
        return 0.0
    term, below = math.exp(-expected), 0.0
    for k in range(many):
        below += term
        term *= expected / (k + 1)
    return max(0.0, 1 - below)


def days_of_cover(shelf: Shelf) -> float | None:
    """How many days what is on hand lasts at the usual rate; None where nothing is sold."""
    a_day = shelf.rate.mean(shelf.day_hours)
    return max(0, shelf.on_hand) / UNIT / a_day if a_day > 0 else None


def lost_a_day(shelf: Shelf) -> int | None:
    """Revenue that a day without stock costs, in ten-thousandths; None while it is not known what a unit brings."""
    return None if shelf.price is None else round(shelf.rate.mean(shelf.day_hours) * shelf.price)
