"""Which runs are made, and what they come to: every policy in the same worlds, level by level."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from restock import world
from restock.base_stock import BaseStock, Estimator
from restock.chain import Chain, Loss, Size
from restock.estimators import CalendarTsb, Croston, MovingAverage
from restock.figures import Judged, Point, by_threshold, of_rule
from restock.ours import Ours
from restock.play import Outcome, Play
from restock.silence import Silences, Suspicion
from restock.store_clock import Parts, StoreClock
from restock.world import World
from streams.restock.rules import SILENCE

# What is calibrated is calibrated on these; what is reported was measured on the others.
TRAINING_SEEDS = (1, 2, 3)
TEST_SEEDS = (101, 102, 103)

USUAL = 0.95
THRESHOLDS = (0.1, 0.03, 0.01, 3e-3, 1e-3, 5e-4, 2e-4, 1e-4, 5e-5, 2e-5, 1e-5, 1e-6)
AVERAGE, CROSTON, TILLSTREAM, UNHEEDED = (
    "moving average of 28 days",
    "Croston",
    "tillstream",
    "tillstream, silent shelves unheeded",
)
PARTS = {
    "as it is": Parts(),
    "hours without stock not masked": Parts(masked=False),
    "without what like stores sell": Parts(prior=False),
    "without the week's profile": Parts(week=False),
    "clock of the calendar, not of the store": Parts(clock=False, week=False),
}
CALENDAR_TSB = "TSB as in its paper, by calendar hours"
SPEEDS = {"one a day or more": (1.0, 1e9), "two a week to one a day": (0.3, 1.0), "less": (0.0, 0.3)}


@dataclass(frozen=True, slots=True)
class Plan:
    """How much is run. `levels` are the service levels of the baselines' curves, and of tillstream's."""

    seeds: tuple[int, ...]
    size: Size
    levels: tuple[float, ...] = (0.7, 0.8, 0.9, 0.95, 0.98, 0.99, 0.998)
    ours: tuple[float, ...] = (0.85, 0.95, 0.99)
    parts: tuple[float, ...] = (0.9, 0.99)

    @property
    def runs(self) -> int:
        """How many runs that is, each in all seeds."""
        parts = (len(PARTS) + 1) * len(self.parts)
        return 2 * len(self.levels) + 2 * len(self.ours) + parts + 2


@dataclass(frozen=True, slots=True)
class Found:
    """All that came of it. `silent` is by THRESHOLDS with nobody acting, `speeds` likewise at the product's own
    threshold; `deployed` by how much likelier than usual goods go astray, with somebody who looks.
    """

    curves: dict[str, list[Point]]
    parts: dict[str, list[Point]]
    silent: list[Judged]
    speeds: dict[str, Judged]
    deployed: dict[float, Judged]
    stock_out: Judged
    looks_a_day: float


def run(plan: Plan, step: Callable[[], None]) -> Found:
    """Make all runs; `step` is called after each."""
    worlds = [world.make(seed, plan.size) for seed in plan.seeds]

    def points(make: Callable[[Chain], Estimator], levels: Sequence[float]) -> list[Point]:
        found = []
        for level in levels:
            runs = [Play(one, BaseStock(one.chain, make(one.chain), level)).run() for one in worlds]
            found.append(Point.of(level, runs))
            step()
        return found

    curves = {AVERAGE: points(MovingAverage, plan.levels), CROSTON: points(Croston, plan.levels)}
    heeded, usual = _ours(worlds, plan.ours, step)
    unheeded, silences, watched = _watched(worlds, plan.ours, step)
    curves |= {TILLSTREAM: heeded, UNHEEDED: unheeded}
    parts = {
        name: points(lambda chain, which=which: StoreClock(chain, which), plan.parts)  # type: ignore[misc]
        for name, which in PARTS.items()
    }
    parts[CALENDAR_TSB] = points(CalendarTsb, plan.parts)
    deployed = {1.0: of_rule(usual, "silent_shelf")}
    for times in (0.5, 2.0):
        runs = [Play(one, Ours(one.chain, USUAL), looks=True).run() for one in _astray(plan, times)]
        deployed[times] = of_rule(runs, "silent_shelf")
        step()
    first = plan.size.warm_days * 24
    own = THRESHOLDS.index(SILENCE)
    speeds = {
        name: by_threshold(silences, watched, len(THRESHOLDS), first, _between(worlds, low, high))[own]
        for name, (low, high) in SPEEDS.items()
    }
    return Found(
        curves, parts, by_threshold(silences, watched, len(THRESHOLDS), first), speeds, deployed,
        of_rule(usual, "stock_out"), sum(run.looks for run in usual) / len(usual) / plan.size.days / plan.size.stores,
    )  # fmt: skip


def _ours(worlds: list[World], levels: Sequence[float], step: Callable[[], None]) -> tuple[list[Point], list[Outcome]]:
    points, usual = [], []
    for level in levels:
        runs = [Play(one, Ours(one.chain, level), looks=True).run() for one in worlds]
        points.append(Point.of(level, runs))
        usual = runs if level == USUAL else usual
        step()
    return points, usual


def _watched(
    worlds: list[World], levels: Sequence[float], step: Callable[[], None]
) -> tuple[list[Point], dict[int, list[Suspicion]], list[Outcome]]:
    points, found, usual = [], {}, []
    for level in levels:
        # The last one is passed by nothing: so there is always a next one.
        watching = [Silences(one.chain, lambda p, _: p, np.array([*THRESHOLDS, 0.0])) for one in worlds]
        runs = [Play(one, Ours(one.chain, level, by)).run() for one, by in zip(worlds, watching, strict=True)]
        points.append(Point.of(level, runs))
        if level == USUAL:
            found, usual = {seed: by.found for seed, by in enumerate(watching)}, runs
        step()
    return points, found, usual


def _astray(plan: Plan, times: float) -> list[World]:
    usual = Loss()
    loss = replace(
        usual,
        theft=usual.theft * times,
        left_behind=usual.left_behind * times,
        booked_wrong=usual.booked_wrong * times,
    )
    return [world.make(seed, plan.size, loss) for seed in plan.seeds]


def _between(worlds: list[World], low: float, high: float) -> Callable[[int, int], bool]:
    return lambda seed, item: bool(low <= worlds[seed].chain.rates[item] < high)
