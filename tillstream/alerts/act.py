"""Acknowledge, snooze, resolve: what is asked goes into `restock.feed`, and counts once a worker has read it there.

Who decides is the worker, in the order of that log; here is only judged what would change nothing.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from clickhouse_connect.driver.client import Client

from schemas import feed
from schemas.alert import State
from schemas.errors import Stop
from schemas.feed import Action, ActionKind
from schemas.topics import FEED
from tillstream.alerts import found
from tillstream.alerts.found import FoundAlert
from tillstream.publish import Publisher
from tillstream.settings import Settings

ANSWER_SECONDS = 10.0
_POLL_SECONDS = 0.1
_UNIX = datetime(1970, 1, 1, tzinfo=UTC)
_LEADS_TO: dict[ActionKind, State] = {"acknowledge": "acknowledged", "snooze": "snoozed", "resolve": "resolved"}


def action(alert: FoundAlert, kind: ActionKind, actor: str, until: int | None) -> Action | None:
    """The message that asks for it, None where the alert is so already. `until` in microseconds.

    Raises Stop where nothing can come of it.
    """
    if alert.state == "resolved":
        raise Stop(
            f"Alert {alert.alert_id} is resolved already{f': {alert.reason}' if alert.reason else ''}.",
            "Where it fires again, that is a new alert: `tillstream alerts list`.",
        )
    if kind == "acknowledge":
        if alert.state == "acknowledged":
            return None
        if alert.state == "ordered":
            raise Stop(
                f"Alert {alert.alert_id} is covered by what is on order: there is nothing to acknowledge.",
                "`tillstream alerts resolve` closes it.",
            )
    if kind == "snooze" and alert.snoozed_until is not None and until == micros(alert.snoozed_until):
        return None
    return Action(
        action_id=secrets.token_hex(16),
        store_id=alert.store_id,
        alert_id=alert.alert_id,
        kind=kind,
        actor=actor,
        until=until,
    )


async def send(settings: Settings, alert: FoundAlert, asked: Action, on_wait: Callable[[str], None]) -> None:
    """Put an action into the alert's partition of the feed; returns once Kafka has it. Raises as Publisher does."""
    async with Publisher(settings, settings.topic_prefix + FEED, on_wait) as publisher:
        if alert.partition >= publisher.partitions:
            raise Stop(
                f"{publisher.topic} has {publisher.partitions} partitions, and the alert comes from number "
                f"{alert.partition}.",
                "Kafka and ClickHouse do not belong together: compare both URLs, and TILLSTREAM_TOPIC_PREFIX.",
            )
        await publisher.send(alert.partition, [(alert.store_id.encode(), feed.encode(asked))])


def answer(client: Client, alert: FoundAlert, asked: Action, seconds: float) -> FoundAlert:
    """The state that the action has led to, once it can be read; raises Stop after so many seconds."""
    deadline = time.monotonic() + seconds
    while True:
        for state in found.states(client, alert.alert_id, alert.sequence):
            if leads_to(asked, state):
                return state
        if time.monotonic() > deadline:
            raise Stop(
                f"Kafka has it, but alert {alert.alert_id} has not changed within {seconds:.0f} s.",
                "It counts as soon as worker and sink have read so far: `tillstream status` tells who lags.",
            )
        time.sleep(_POLL_SECONDS)  # ClickHouse tells nobody of new rows


def leads_to(asked: Action, state: FoundAlert) -> bool:
    """Whether a state is what an action asks for. One that resolved meanwhile needs nothing else any more."""
    if state.state == "resolved":
        return True
    if state.state != _LEADS_TO[asked.kind]:
        return False
    return asked.kind != "snooze" or (state.snoozed_until is not None and micros(state.snoozed_until) == asked.until)


def micros(moment: datetime) -> int:
    """Microseconds since the Unix epoch of an aware time."""
    return (moment - _UNIX) // timedelta(microseconds=1)
