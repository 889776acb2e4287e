"""Pure arithmetic on what runs have come to: points of a curve, what lies between them, precision and recall."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from restock.play import Heard, Outcome
from restock.shelves import Spell
from restock.silence import Suspicion
from streams.restock.demand import MEMORY, PRIOR_HOURS
from streams.restock.rules import SILENCE


@dataclass(frozen=True, slots=True)
class Point:
    """A policy at a service level, over all seeds: shares of units, and units of average stock of one seed."""

    level: float
    stock: float
    lost: float
    lost_hidden: float
    lost_revenue: float
    orders: float
    looks: float

    @classmethod
    def of(cls, level: float, runs: Sequence[Outcome]) -> Point:
        """Of one run a seed."""
        wanted, seeds = sum(run.wanted for run in runs), len(runs)
        return cls(
            level,
            sum(run.stock for run in runs) / seeds,
            sum(run.lost for run in runs) / wanted,
            sum(run.lost_hidden for run in runs) / wanted,
            sum(run.lost_revenue for run in runs) / sum(run.wanted_revenue for run in runs),
            sum(run.orders for run in runs) / seeds,
            sum(run.looks for run in runs) / seeds,
        )


def lost_at(points: Sequence[Point], stock: float) -> float | None:
    """The share that is lost at an average stock, between the two points around it; None beyond all points.

    Its logarithm is taken to be straight between them.
    """
    by_stock = sorted(points, key=lambda point: point.stock)
    for one, other in pairwise(by_stock):
        if one.stock <= stock <= other.stock:
            share = (stock - one.stock) / (other.stock - one.stock)
            return math.exp((1 - share) * math.log(one.lost) + share * math.log(other.lost))
    return None


@dataclass(frozen=True, slots=True)
class Judged:
    """How an alert fares: how many there were, which share of them was right, which share of spells it found.

    `of_units` is the share of the units that customers were turned away for in all such spells, which those found have.
    """

    alerts: int
    precision: float | None
    recall: float | None
    of_units: float | None


def judged(alerts: Sequence[int | None], spells: Sequence[Spell]) -> Judged:
    """`alerts` are the spells that they were raised in, None for those raised in vain; `spells` those to be found."""
    real = {one.number: one for one in spells if one.turned_away}
    found = {one for one in alerts if one is not None} & real.keys()
    units = sum(one.turned_away for one in real.values())
    return Judged(
        len(alerts),
        sum(one is not None for one in alerts) / len(alerts) if alerts else None,
        len(found) / len(real) if real else None,
        sum(real[one].turned_away for one in found) / units if units else None,
    )


def of_rule(runs: Sequence[Outcome], rule: str) -> Judged:
    """A rule's alerts in runs, against the spells that it is to find: hidden ones for silent_shelf, else all."""
    hidden = rule == "silent_shelf"
    raised = [(one.hidden if hidden else one.empty, seed) for seed, run in enumerate(runs) for one in _of(run, rule)]
    return judged(
        [None if spell is None else _name(spell, seed) for spell, seed in raised],
        [
            one._replace(number=_name(one.number, seed))
            for seed, run in enumerate(runs)
            for one in run.spells
            if one.hidden == hidden
        ],
    )


def _of(run: Outcome, rule: str) -> list[Heard]:
    return [one for one in run.heard if one.rule == rule]


def _name(number: int, seed: int) -> int:
    return number * 1_000 + seed


def by_threshold(
    found: Mapping[int, Sequence[Suspicion]], runs: Sequence[Outcome], thresholds: int, first: int,
    chosen: Callable[[int, int], bool] | None = None,
) -> list[Judged]:  # fmt: skip
    """Of suspicions by seed, from an hour on: precision and recall at each threshold, of the items that are chosen."""
    spells = [
        one._replace(number=_name(one.number, seed))
        for seed, run in enumerate(runs)
        for one in run.spells
        if one.hidden and (chosen is None or chosen(seed, one.item))
    ]
    return [
        judged(
            [
                None if one.spell is None else _name(one.spell, seed)
                for seed, suspicions in found.items()
                for one in suspicions
                if one.threshold == at and one.hour >= first and (chosen is None or chosen(seed, one.item))
            ],
            spells,
        )
        for at in range(thresholds)
    ]


def days_of_silence(a_day: float, day_hours: float, threshold: float = SILENCE) -> float:
    """Days that a shelf must be silent until it is suspected, where a SKU has long been bought so often, evenly."""
    rate = a_day / day_hours
    hours = MEMORY + PRIOR_HOURS
    return hours * (threshold ** (-1 / (rate * hours)) - 1) / day_hours
