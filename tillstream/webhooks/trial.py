"""Send a test to endpoints, and tell what came back. One that answers is enabled again, where it was disabled."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from schemas import delivery as messages
from schemas.alert import Alert, Product
from schemas.delivery import ENDPOINTS_PARTITION, EndpointState
from schemas.errors import Stop, Unavailable
from schemas.topics import DELIVERIES
from sinks.webhooks.body import body_of, headers_of
from sinks.webhooks.endpoint import SECOND, Endpoint, Tuning
from sinks.webhooks.ids import webhook_id
from sinks.webhooks.post import Poster
from sinks.webhooks.schedule import Outcome
from tillstream.publish import Publisher
from tillstream.settings import Settings
from tillstream.waiting import admin
from tillstream.webhooks.config import dashboard_of, endpoint_of


@dataclass(frozen=True, slots=True)
class Tried:
    """A test and what came of it; `enabled` None: nobody could be told, since Kafka does not answer."""

    endpoint: str
    webhook_id: str
    outcome: Outcome
    enabled: bool | None = False


def sample(number: str, now: datetime) -> Alert:
    """The alert of a test: recognisable as one, and of the form that real ones have."""
    moment = now.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return Alert(
        alert_id=f"test-{number}", rule="reorder_point", state="raised", severity="info", store_id="test-store",
        sku="test-sku", product=Product(name="A test of tillstream"), on_hand="3", on_order="0", reorder_point="9.4",
        days_of_cover="1.2", suggested_order="12", window_start=moment, raised_at=moment, changed_at=moment,
        reason="tillstream webhook test", sequence=1,
    )  # fmt: skip


def named(settings: Settings, name: str | None) -> list[Endpoint]:
    """The endpoints of the settings, or the one of this name; raises Stop where there is none."""
    endpoints = [endpoint_of(one) for one in settings.webhooks]
    if not endpoints:
        raise Stop("There are no endpoints.", "Name one under [[webhooks]] in tillstream.toml: see docs/webhooks.md.")
    found = [one for one in endpoints if name in (None, one.name)]
    if not found:
        names = ", ".join(one.name for one in endpoints)
        raise Stop(f"No endpoint is called {name}.", f"There are: {names}.")
    return found


async def try_out(settings: Settings, endpoints: Sequence[Endpoint]) -> list[Tried]:
    """Send one test to each of them, at once."""
    async with Poster(Tuning().timeout / SECOND, allow_private=settings.webhook_allow_private) as poster:
        tried = await asyncio.gather(*[_send(poster, one, dashboard_of(settings)) for one in endpoints])
    well = [one for one in tried if one.outcome.success]
    if not well:
        return tried
    try:
        await _enable(settings, [one.endpoint for one in well])
    except (Unavailable, Stop):
        enabled = None
    else:
        enabled = True
    return [Tried(one.endpoint, one.webhook_id, one.outcome, enabled and one.outcome.success) for one in tried]


async def _send(poster: Poster, endpoint: Endpoint, dashboard: str) -> Tried:
    alert = sample(secrets.token_hex(8), datetime.now(UTC))
    number = webhook_id(alert.alert_id, "restock.test", alert.sequence, endpoint.name)
    body = body_of("restock.test", alert, dashboard)
    headers = headers_of(number, body, time.time_ns() // 1000, endpoint.secrets)
    return Tried(endpoint.name, number, await poster.post(endpoint.url, headers, body))


async def _enable(settings: Settings, names: Sequence[str]) -> None:
    """Say in the log that these endpoints answer; raises Unavailable or Stop."""
    async with admin(settings):  # asked once: a test must not wait for a Kafka that is not there
        pass
    now = time.time_ns() // 1000
    states = [EndpointState(endpoint=name, state="ok", since=now, reason="a test reached it", at=now) for name in names]
    async with Publisher(settings, settings.topic_prefix + DELIVERIES) as publisher:
        await publisher.send(ENDPOINTS_PARTITION, [(messages.key_of(one), messages.encode(one)) for one in states])
