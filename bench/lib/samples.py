"""Pure arithmetic on what was seen of a worker while it folded: cost of a line along the way, and memory.

`lines` are those folded so far, the axis of everything: seconds say nothing of a worker that shares its machine.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

_MIB = 1024**2


class Sample(NamedTuple):
    """A worker at one moment. Times in seconds, `event_time` since the Unix epoch, `memory` in bytes, resident."""

    lines: float
    cpu_seconds: float
    memory: int
    open_windows: int
    event_time: float


@dataclass(frozen=True, slots=True)
class Course:
    """What samples of a run come to, from its first to its last.

    `graced_lines` is where event time has gone on by the grace, None where it has not: from there on as many windows
    close as open. `memory_then` and `memory_after` (MiB) are the resident memory there, and the most of it after.
    """

    microseconds_a_line: float
    tenths: list[float]
    most_memory: float
    most_windows: int
    graced_lines: float | None
    memory_then: float | None
    memory_after: float | None

    @property
    def spread(self) -> float:
        """How much more a line cost in the dearest tenth of the run than in the cheapest."""
        return max(self.tenths) / min(self.tenths) - 1


def costs(samples: Sequence[Sample], parts: int) -> tuple[list[float], list[float]]:
    """(lines in the middle, CPU microseconds a line) of each of so many equal parts of a run.

    CPU at a part's ends is drawn straight between the two samples around it.
    """
    lines = [sample.lines for sample in samples]
    ends = np.linspace(lines[0], lines[-1], parts + 1)
    spent = np.interp(ends, lines, [sample.cpu_seconds for sample in samples])
    return ((ends[1:] + ends[:-1]) / 2).tolist(), (np.diff(spent) / np.diff(ends) * 1e6).tolist()


def course(samples: Sequence[Sample], grace: float) -> Course:
    """Judge a run; `grace` in seconds of event time, windows included."""
    known = [sample for sample in samples if sample.event_time]
    begun = known[0].event_time
    graced = next((at for at, sample in enumerate(known) if sample.event_time - begun >= grace), None)
    [whole], tenths = costs(samples, 1)[1], costs(samples, 10)[1]
    return Course(
        microseconds_a_line=whole,
        tenths=tenths,
        most_memory=max(sample.memory for sample in samples) / _MIB,
        most_windows=max(sample.open_windows for sample in samples),
        graced_lines=None if graced is None else known[graced].lines,
        memory_then=None if graced is None else known[graced].memory / _MIB,
        memory_after=None if graced is None else max(sample.memory for sample in known[graced:]) / _MIB,
    )


def thinned(samples: Sequence[Sample], many: int) -> list[Sample]:
    """The first, the last, and as many between as make about so many, at even steps of lines."""
    step = (samples[-1].lines - samples[0].lines) / many
    kept, due = [], samples[0].lines
    for sample in samples[:-1]:
        if sample.lines >= due:
            kept.append(sample)
            due = sample.lines + step
    return [*kept, samples[-1]]
