"""What is shown of a history that failed: the fewest events that still fail, as sentences, and how to repeat it."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Sequence
from typing import NamedTuple

from tests.simulation.histories import history
from tests.simulation.world import Difference, Event, History, play

# A shrunk history is for people: after so many runs what is left is short enough.
MOST_RUNS = 2_000


class Failure(NamedTuple):
    """A history that failed: how, and its events as drawn and as shrunk."""

    seed: int
    reason: str
    drawn: int
    events: list[Event]
    story: list[str]

    def text(self) -> str:
        """All of it, for a terminal."""
        lines = [f"Seed {self.seed}: {self.drawn} events, of which these {len(self.events)} are enough:", ""]
        lines += [f"{number:3}. {sentence}" for number, sentence in enumerate(self.story, 1)]
        lines += ["", *self.reason.splitlines(), ""]
        lines += [f"Repeat it: python -m tests.simulation --histories 1 --seed {self.seed}"]
        return "\n".join(lines)


def fault_of(found: History, told: list[str] | None = None) -> str | None:
    """Run a history: why it failed, or None."""
    try:
        play(found, told)
    except Difference as difference:
        return str(difference)
    except Exception:  # noqa: BLE001  # whatever the product raised is a failure of it
        return traceback.format_exc(limit=-6)
    return None


def look(seed: int) -> Failure | None:
    """Run a seed's history; where it fails, shrink it."""
    found = history(seed)
    if fault_of(found) is None:
        return None
    events = shrunk(found.events, lambda fewer: fault_of(found._replace(events=fewer)) is not None)
    story: list[str] = []
    reason = fault_of(found._replace(events=events), story)
    return Failure(seed, str(reason), len(found.events), list(events), story)


def shrunk(events: Sequence[Event], fails: Callable[[Sequence[Event]], bool]) -> Sequence[Event]:
    """Leave out events, in ever smaller runs, for as long as it still fails (delta debugging)."""
    runs = 0
    size = max(1, len(events) // 2)
    while runs < MOST_RUNS:
        at, dropped = 0, False
        while at < len(events) and runs < MOST_RUNS:
            fewer = [*events[:at], *events[at + size :]]
            runs += 1
            if fails(fewer):
                events, dropped = fewer, True
            else:
                at += size
        if size == 1 and not dropped:
            break
        size = max(1, size // 2)
    return events
