"""Deliveries whose endpoint `[[webhooks]]` does not name: they wait for it to return, and not for ever. Pure.

Two sinks may have different settings for a while, and a name may be misspelt for a day. So a delivery waits for as long
as an endpoint that does not answer would be tried; it fails then, so that it can be asked for again.
"""

from __future__ import annotations

from msgspec.structs import replace

from schemas.delivery import Delivery
from sinks.webhooks.endpoint import Tuning

REASON = "[[webhooks]] no longer names its endpoint"


def waiting(delivery: Delivery, tuning: Tuning) -> Delivery:
    """As it waits here: due when it is given up. The log keeps what an endpoint that returns goes on with."""
    return replace(delivery, next_at=delivery.at + sum(tuning.delays))


def given_up(delivery: Delivery, now: int) -> Delivery:
    """How it ends."""
    return replace(delivery, state="failed", next_at=0, reason=REASON, at=now)
