"""A webhook as it goes over the wire: its body, a function of the alert alone, and its signed headers."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

import msgspec
from msgspec.structs import replace
from standardwebhooks import Webhook as Signer

from schemas.alert import Alert, EventType, Product, Webhook

LARGEST = 20_000
# What is given up first where a body would be too large: what a receiver can ask for by the alert's id.
_SPARED: tuple[dict[str, Any], ...] = ({"figures": {}}, {"reason": ""}, {"product": Product()}, {"dashboard": ""})


def body_of(event: EventType, alert: Alert, dashboard: str) -> bytes:
    """JSON, below 20 kB. `timestamp` is when the alert's state began, not when this is sent: every attempt is the same.

    `dashboard` is the link's beginning, before the alert's id; empty: no link.
    """
    sent = replace(alert, dashboard=f"{dashboard}{alert.alert_id}") if dashboard else alert
    for spared in ({}, *_SPARED):
        sent = replace(sent, **spared)
        body = msgspec.json.encode(Webhook(event, alert.changed_at or alert.raised_at, sent))
        if len(body) < LARGEST:
            break
    return body


def headers_of(webhook_id: str, body: bytes, now: int, secrets: Iterable[str]) -> dict[str, str]:
    """Headers of Standard Webhooks; `now` in microseconds. Each secret signs, so that they can be exchanged in time."""
    moment = datetime.fromtimestamp(now // 1_000_000, UTC)
    text = body.decode()
    return {
        "content-type": "application/json",
        "user-agent": "tillstream-webhooks",
        "webhook-id": webhook_id,
        "webhook-timestamp": str(now // 1_000_000),
        "webhook-signature": " ".join(Signer(secret).sign(webhook_id, moment, text) for secret in secrets),
    }
