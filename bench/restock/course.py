"""Which runs are made, and what they come to: every policy in the same worlds, level by level."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from restock import world
from restock.base_stock import BaseStock, Estimator
from restock.chain import Chain, Loss, Size
from restock.estimators import CalendarTsb, Croston, MovingAverage
from restock.figures import Judged, Point, by_threshold, of_rule
from restock.ours import Ours
from restock.play import Outcome, Play
from restock.player import Player
from restock.silence import Silences
from restock.store_clock import Parts, StoreClock
from restock.world import World
from streams.restock.rules import SILENCE

# What is calibrated is calibrated on these; what is reported was measured on the others.
TRAINING_SEEDS = (1, 2, 3)
TEST_SEEDS = (101, 102, 103)

USUAL = 0.95
THRESHOLDS = (0.1, 0.03, 0.01, 3e-3, 1e-3, 5e-4, 2e-4, 1e-4, 5e-5, 2e-5, 1e-5, 1e-6)
AVERAGE, CROSTON, TILLSTREAM = "moving average of 28 days", "Croston", "tillstream"
# Each has one thing more than the one before it.
REVIEWED = "tillstream's estimate of demand alone"
ALERTS = "and orders what has an open alert"
CAMPAIGNS = "and is told of campaigns"
LOOKS = "and somebody looks at silent shelves"
PARTS = {
    "hours without stock not masked": Parts(masked=False),
    "without what like stores sell": Parts(prior=False),
    "without the week's profile": Parts(week=False),
    "clock of the calendar, not of the store": Parts(clock=False, week=False),
}
CALENDAR_TSB = "TSB as in its paper, by calendar hours"
SPEEDS = {"one a day or more": (1.0, 1e9), "two a week to one a day": (0.3, 1.0), "less": (0.0, 0.3)}


@dataclass(frozen=True, slots=True)
class Plan:
    """How much is run. `levels` are the service levels of the baselines' curves, and `ours` those of tillstream's."""

    seeds: tuple[int, ...]
    size: Size
    levels: tuple[float, ...] = (0.7, 0.8, 0.9, 0.95, 0.98, 0.99, 0.998)
    ours: tuple[float, ...] = (0.85, USUAL, 0.99)

    @property
    def runs(self) -> int:
        """How many runs that is, most of them in all seeds."""
        return 2 * len(self.levels) + len(self.ours) + len(PARTS) + len((REVIEWED, CALENDAR_TSB, ALERTS, CAMPAIGNS)) + 2


@dataclass(frozen=True, slots=True)
class Found:
    """All that came of it. `steps` and `parts` are at the usual service level. `silent` is by THRESHOLDS with nobody
    acting, `speeds` likewise at the product's own threshold; `deployed` by how much likelier than usual goods go astray
    (in the first seed, but for 1), with somebody who looks.
    """

    curves: dict[str, list[Point]]
    steps: dict[str, Point]
    parts: dict[str, Point]
    silent: list[Judged]
    speeds: dict[str, Judged]
    deployed: dict[float, Judged]
    stock_out: Judged
    looks_a_day: float


def run(plan: Plan, step: Callable[[], None]) -> Found:
    """Make all runs; `step` is called after each."""
    worlds = [world.make(seed, plan.size) for seed in plan.seeds]

    def point(level: float, make: Callable[[Chain], Player], *, looks: bool = False) -> tuple[Point, list[Outcome]]:
        runs = [Play(one, make(one.chain), looks=looks).run() for one in worlds]
        step()
        return Point.of(level, runs), runs

    def reviewed(make: Callable[[Chain], Estimator], level: float = USUAL) -> Point:
        return point(level, lambda chain: BaseStock(chain, make(chain), level))[0]

    heeded = {level: point(level, lambda chain, at=level: Ours(chain, at), looks=True) for level in plan.ours}  # type: ignore[misc]
    curves = {
        AVERAGE: [reviewed(MovingAverage, level) for level in plan.levels],
        CROSTON: [reviewed(Croston, level) for level in plan.levels],
        TILLSTREAM: [heeded[level][0] for level in plan.ours],
    }
    watching: list[Silences] = []

    def watched(chain: Chain) -> Ours:
        # The last threshold is passed by nothing: so there is always a next one.
        watching.append(Silences(chain, lambda p, _: p, np.array([*THRESHOLDS, 0.0])))
        return Ours(chain, USUAL, watching[-1])

    unheeded, unheeded_runs = point(USUAL, watched)
    usual, usual_runs = heeded[USUAL]
    steps = {
        CROSTON: next(one for one in curves[CROSTON] if one.level == USUAL),
        CALENDAR_TSB: reviewed(CalendarTsb),
        REVIEWED: reviewed(lambda chain: StoreClock(chain, Parts())),
        ALERTS: point(USUAL, lambda chain: Ours(chain, USUAL, campaigns=False))[0],
        CAMPAIGNS: unheeded,
        LOOKS: usual,
    }
    parts = {name: reviewed(lambda chain, of=of: StoreClock(chain, of)) for name, of in PARTS.items()}  # type: ignore[misc]
    deployed = {1.0: of_rule(usual_runs, "silent_shelf")}
    for times in (0.5, 2.0):
        one = _astray(plan, times)
        deployed[times] = of_rule([Play(one, Ours(one.chain, USUAL), looks=True).run()], "silent_shelf")
        step()
    first, many = plan.size.warm_days * 24, len(THRESHOLDS)
    found = {seed: by.found for seed, by in enumerate(watching)}
    own = THRESHOLDS.index(SILENCE)
    speeds = {
        name: by_threshold(found, unheeded_runs, many, first, _between(worlds, low, high))[own]
        for name, (low, high) in SPEEDS.items()
    }
    return Found(
        curves, steps, parts, by_threshold(found, unheeded_runs, many, first), speeds, deployed,
        of_rule(usual_runs, "stock_out"), usual.looks / plan.size.days / plan.size.stores,
    )  # fmt: skip


def _astray(plan: Plan, times: float) -> World:
    usual = Loss()
    loss = replace(
        usual,
        theft=usual.theft * times,
        left_behind=usual.left_behind * times,
        booked_wrong=usual.booked_wrong * times,
    )
    return world.make(plan.seeds[0], plan.size, loss)


def _between(worlds: list[World], low: float, high: float) -> Callable[[int, int], bool]:
    return lambda seed, item: bool(low <= worlds[seed].chain.rates[item] < high)
