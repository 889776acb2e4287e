"""An alert: a message of `restock.alerts`, and the webhook that carries it (Standard Webhooks 1.0.0)."""

from __future__ import annotations

from typing import Literal

import msgspec

Rule = Literal["reorder_point", "stock_out", "silent_shelf", "surge"]
State = Literal["raised", "acknowledged", "snoozed", "ordered", "resolved"]
Severity = Literal["info", "warning", "critical"]
EventType = Literal["restock.raised", "restock.resolved", "restock.test"]

SCHEMA_VERSION = 1


class Product(msgspec.Struct, frozen=True):
    """What is known of the SKU; empty is unknown."""

    name: str = ""
    department: str = ""
    category: str = ""
    brand: str = ""


class Alert(msgspec.Struct, frozen=True, kw_only=True):
    """The `data` of a webhook. Quantities and money are decimals as strings, times RFC 3339 in UTC.

    `alert_id` is a hash of rule, store, SKU and the offset in `restock.feed` that opened the episode, so that no
    replay can mint a new one. `sequence` counts the states of the episode from 1; `changed_at` is when this one began,
    `reason` why. `figures` are those that made it fire (docs/restock.md). `feed_partition` and `feed_offset` say which
    message of `restock.feed` has brought this state about. `dashboard` is filled in as it is sent.
    """

    alert_id: str
    rule: Rule
    state: State
    severity: Severity
    store_id: str
    sku: str
    product: Product
    on_hand: str
    on_order: str
    reorder_point: str | None = None
    days_of_cover: str | None = None
    suggested_order: str | None = None
    lost_revenue_per_day: str | None = None
    window_start: str
    raised_at: str
    changed_at: str = ""
    snoozed_until: str | None = None
    reason: str = ""
    currency: str = ""
    figures: dict[str, float] = {}
    sequence: int
    feed_partition: int = 0
    feed_offset: int = -1
    dashboard: str = ""
    schema_version: int = SCHEMA_VERSION


class Webhook(msgspec.Struct, frozen=True):
    """The body of a webhook."""

    type: EventType
    timestamp: str
    data: Alert


_decoder = msgspec.json.Decoder(Alert)


def encode(alert: Alert) -> bytes:
    """JSON, as it stands in `restock.alerts`."""
    return msgspec.json.encode(alert)


def decode(value: bytes) -> Alert:
    """Read a message of `restock.alerts`; raises msgspec.MsgspecError on what is none."""
    return _decoder.decode(value)
