"""Which deliveries an alert makes. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from schemas.alert import Alert
from schemas.delivery import Delivery, State
from schemas.times import instant
from sinks.webhooks.endpoint import Endpoint, event_of
from sinks.webhooks.ids import webhook_id

Asked = Callable[[str], bool]


def deliveries_of(
    alert: Alert,
    place: tuple[int, int],
    endpoints: Iterable[Endpoint],
    now: int,
    max_age: int,
    *,
    known: Asked,
    disabled: Asked,
) -> list[Delivery]:
    """What the alert at `place` (partition, offset) is to be recorded as, one delivery for each endpoint that wants it.

    `known` tells of a webhook-id whether it stands in the log, `disabled` of an endpoint whether it is given up. An
    alert whose state began more than `max_age` before `now` is `expired`: only the wall clock can tell that it is too
    late for it, so only the sender looks at one.

    Raises schemas.times.TimeFault where the alert's times are none.
    """
    event = event_of(alert)
    if event is None:
        return []
    occurred_at = instant(alert.changed_at or alert.raised_at)
    found = []
    for endpoint in endpoints:
        number = webhook_id(alert.alert_id, event, alert.sequence, endpoint.name)
        if not endpoint.wants(event, alert) or known(number):
            continue
        state: State = "pending"
        reason = ""
        if now - occurred_at > max_age:
            state, reason = "expired", "older than TILLSTREAM_MAX_ALERT_AGE when it was read"
        elif disabled(endpoint.name):
            state, reason = "disabled", "the endpoint is disabled"
        found.append(
            Delivery(
                webhook_id=number,
                endpoint=endpoint.name,
                type=event,
                state=state,
                next_at=endpoint.first_at(event, alert, now) if state == "pending" else 0,
                reason=reason,
                at=now,
                partition=place[0],
                offset=place[1],
                alert_id=alert.alert_id,
                sequence=alert.sequence,
                occurred_at=occurred_at,
                store_id=alert.store_id,
                sku=alert.sku,
                rule=alert.rule,
                severity=alert.severity,
            )
        )
    return found
