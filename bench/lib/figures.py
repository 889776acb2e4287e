"""Pure arithmetic on what was measured: medians, spreads, and ratios of pairs that ran in the same round."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from lib.race import Run


@dataclass(frozen=True, slots=True)
class Spread:
    """Median, smallest and largest of some figures."""

    median: float
    low: float
    high: float

    @classmethod
    def of(cls, found: Sequence[float]) -> Spread:
        """Of at least one figure."""
        return cls(statistics.median(found), min(found), max(found))


@dataclass(frozen=True, slots=True)
class Result:
    """A contestant over all rounds: lines a second, its ratio to each rival by name, CPU and memory.

    `times` has no entry for a rival that did not take part; `differences` are the worst round's.
    """

    name: str
    rounds: int
    rate: Spread
    times: dict[str, Spread]
    cpu_microseconds_a_line: float
    mebibytes: float
    differences: int


def ratios(ours: Sequence[Run], theirs: Sequence[Run]) -> Spread:
    """How many times faster, of the pairs of each round: what slowed a round down, slowed both."""
    return Spread.of([one.rate / other.rate for one, other in zip(ours, theirs, strict=False)])


def results(runs: Mapping[str, Sequence[Run]], rivals: Sequence[str]) -> list[Result]:
    """One result a contestant that has run, the fastest first."""
    ran = {name: found for name, found in runs.items() if found}
    made = [
        Result(
            name=name,
            rounds=len(found),
            rate=Spread.of([run.rate for run in found]),
            times={rival: ratios(found, ran[rival]) for rival in rivals if rival in ran},
            cpu_microseconds_a_line=statistics.median(run.cpu_seconds / run.lines * 1e6 for run in found),
            mebibytes=max(run.memory for run in found) / 1024**2,
            differences=max(run.differences for run in found),
        )
        for name, found in ran.items()
    ]
    return sorted(made, key=lambda result: -result.rate.median)
