"""From the settings to what the sender takes."""

from __future__ import annotations

from datetime import timedelta

from sinks.webhooks.endpoint import Endpoint
from sinks.webhooks.run import SenderConfig
from tillstream import kafka
from tillstream.settings import Settings
from tillstream.webhook_settings import WebhookSettings

MICROSECOND = timedelta(microseconds=1)
_EVERY_ADDRESS = ("0.0.0.0", "[::]", "::")  # noqa: S104  # what names no address to link to


def endpoint_of(one: WebhookSettings) -> Endpoint:
    """An endpoint of the settings."""
    return Endpoint(
        name=one.known_as,
        url=one.url,
        secrets=one.secrets,
        events=frozenset(one.events),
        stores=frozenset(one.stores),
        severity=one.severity,
        digest=one.digest // MICROSECOND,
        concurrency=one.concurrency,
    )


def dashboard_of(settings: Settings) -> str:
    """What the link to an alert begins with, or nothing where the settings name no address to link to."""
    host = settings.web_bind.rpartition(":")[0]
    return "" if host in _EVERY_ADDRESS else f"http://{settings.web_bind}/?alert="


def sender_config(settings: Settings) -> SenderConfig:
    """The sender's part of the settings."""
    return SenderConfig(
        kafka_options=kafka.client_options(settings),
        prefix=settings.topic_prefix,
        endpoints=[endpoint_of(one) for one in settings.webhooks],
        max_age=settings.max_alert_age // MICROSECOND,
        allow_private=settings.webhook_allow_private,
        dashboard=dashboard_of(settings),
    )
