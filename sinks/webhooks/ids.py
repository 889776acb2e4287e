"""The id of a webhook: the same whenever, and by whomever, the same thing is told to the same endpoint."""

from __future__ import annotations

import hashlib

from schemas.alert import EventType


def webhook_id(alert_id: str, event: EventType, sequence: int, endpoint: str) -> str:
    """`msg_` and 128 bits of a hash, in hexadecimal.

    The sequence is part of it, since one alert can be raised more than once (again, when a snooze has ended), and a
    receiver that drops ids it knows must hear of each. A message that stands in the log twice has one sequence.
    """
    parts = "\0".join((alert_id, event, str(sequence), endpoint))
    return "msg_" + hashlib.sha256(parts.encode()).hexdigest()[:32]
