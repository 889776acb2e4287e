"""What follows from an answer: done, again and when, or given up; and how an endpoint is spared. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from http import HTTPStatus

from msgspec.structs import replace

from schemas.delivery import Delivery
from sinks.webhooks.endpoint import SECOND, Tuning

# "Too much": Standard Webhooks asks senders to slow down at these.
_SLOW_DOWN = {HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.BAD_GATEWAY, HTTPStatus.GATEWAY_TIMEOUT}
_JITTER = 0.2
_MOST_DOUBLINGS = 16


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of one attempt. `status` 0: no answer; `retry_after` in microseconds; `answer`: how it began."""

    status: int
    reason: str = ""
    retry_after: int = 0
    took: float = 0.0
    answer: str = ""

    @property
    def success(self) -> bool:
        """Whether it was delivered: 2xx, nothing else."""
        return HTTPStatus.OK <= self.status < HTTPStatus.MULTIPLE_CHOICES

    @property
    def gone(self) -> bool:
        """Whether the receiver wants nothing any more."""
        return self.status == HTTPStatus.GONE


def after(delivery: Delivery, outcome: Outcome, now: int, tuning: Tuning, luck: float) -> Delivery:
    """How the delivery stands after an attempt. `luck` in [0, 1) moves the next one by up to a tenth either way."""
    tried = replace(
        delivery, attempt=delivery.attempt + 1, next_at=0, status=outcome.status, reason=outcome.reason, at=now
    )
    if outcome.success:
        return replace(tried, state="delivered", reason="")
    if outcome.gone:
        return replace(tried, state="disabled")
    if tried.attempt > len(tuning.delays):
        return replace(tried, state="failed")
    delay = int(tuning.delays[tried.attempt - 1] * (1 + _JITTER * (luck - 0.5)))
    hint = min(outcome.retry_after, tuning.longest_hint)
    return replace(tried, state="pending", next_at=now + max(delay, hint))


def retry_after(value: str | None, now: int) -> int:
    """Microseconds that a Retry-After header asks for: seconds or an HTTP date; 0 where it says nothing."""
    text = (value or "").strip()
    if text.isascii() and text.isdecimal():
        return min(int(text), 10**9) * SECOND
    try:
        return max(0, int(parsedate_to_datetime(text).timestamp() * SECOND) - now)
    except (ValueError, OverflowError):
        return 0


@dataclass(frozen=True, slots=True)
class Pace:
    """How fast an endpoint is served: nothing before `held_until`, and one at a time while it says "too much"."""

    held_until: int = 0
    doublings: int = 0

    def after(self, outcome: Outcome, now: int, tuning: Tuning) -> Pace:
        """The pace after an answer."""
        if outcome.success:
            return Pace()
        if outcome.status not in _SLOW_DOWN:
            return self
        pause = max(tuning.slow << self.doublings, outcome.retry_after)
        return Pace(now + min(pause, tuning.longest_pause), min(self.doublings + 1, _MOST_DOUBLINGS))

    def width(self, concurrency: int) -> int:
        """How many attempts may be under way."""
        return 1 if self.doublings else concurrency
