"""When a receipt of a replay is due. Pure: the time is passed in."""

from __future__ import annotations

from dataclasses import dataclass

_US = 1_000_000


@dataclass(frozen=True, slots=True)
class Pace:
    """A replay that began at `started` (seconds of a monotonic clock) with a receipt of `origin_us`.

    At `speed` 60 an hour of receipts takes a minute.
    """

    origin_us: int
    started: float
    speed: float

    def wait(self, occurred_at_us: int, now: float) -> float:
        """Seconds from `now` until a receipt is due; 0 where it is due already, as every one from before the origin."""
        due = self.started + (occurred_at_us - self.origin_us) / _US / self.speed
        return max(0.0, due - now)
