"""When a window is open: pure arithmetic on event time. Nothing here reads a clock.

All times are integer microseconds since the Unix epoch, UTC. A window covers [start, start + width).
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Windows:
    """The widths that decide: `width` of a window and `grace` after its end, both in microseconds."""

    width: int
    grace: int

    def start_of(self, occurred_at: int) -> int:
        """Start of the window that holds a moment; starts are multiples of the width since the Unix epoch."""
        return occurred_at - occurred_at % self.width

    def closes_at(self, start: int) -> int:
        """The watermark at which the window that starts here closes."""
        return start + self.width + self.grace

    def is_open(self, start: int, watermark: int | None) -> bool:
        """Whether it still takes receipts. A store without a watermark has every window open."""
        return watermark is None or watermark < start + self.width + self.grace

    def oldest(self, watermark: int | None) -> int:
        """The smallest moment that may be the start of an open window."""
        return -(1 << 62) if watermark is None else watermark - self.width - self.grace + 1
