"""Messages of `webhook.deliveries`: how each webhook stands, and how each endpoint does. Compacted by key."""

from __future__ import annotations

from typing import Literal

import msgspec

from schemas.alert import EventType, Rule, Severity

# Pending: to be sent at `next_at`. Requested: somebody asks for it to be sent (again), at once. The others are final.
State = Literal["pending", "requested", "delivered", "failed", "expired", "disabled"]
OPEN = ("pending", "requested")
Standing = Literal["ok", "failing", "disabled"]


class Delivery(msgspec.Struct, frozen=True, kw_only=True, gc=False, tag="delivery", tag_field="kind"):
    """One webhook to one endpoint; its key is `webhook_id`. Times are microseconds since the Unix epoch.

    It stands in the partition of the alert that it carries, which is at `offset` of `restock.alerts` and is read there
    when it is sent: what is here stays small, however long an endpoint is away. `attempt` counts the attempts made,
    `status` is the last answer's (0: none came), `reason` says why it was no success, `at` is when this was noted, and
    `occurred_at` when the alert's state began.
    """

    webhook_id: str
    endpoint: str
    type: EventType
    state: State
    attempt: int = 0
    next_at: int = 0
    status: int = 0
    reason: str = ""
    at: int
    partition: int
    offset: int
    alert_id: str
    sequence: int
    occurred_at: int
    store_id: str
    sku: str
    rule: Rule
    severity: Severity


class EndpointState(msgspec.Struct, frozen=True, kw_only=True, gc=False, tag="endpoint", tag_field="kind"):
    """How an endpoint does, `since` when; its key is `endpoint:NAME`. All of them stand in partition 0.

    Nothing is sent to a disabled one until a test has reached it.
    """

    endpoint: str
    state: Standing
    since: int
    reason: str = ""
    at: int


Message = Delivery | EndpointState
ENDPOINTS_PARTITION = 0

_decoder: msgspec.json.Decoder[Message] = msgspec.json.Decoder(Message)


def key_of(message: Message) -> bytes:
    """The key under which compaction keeps the newest of them."""
    return (message.webhook_id if isinstance(message, Delivery) else f"endpoint:{message.endpoint}").encode()


def encode(message: Message) -> bytes:
    """JSON, as it stands in `webhook.deliveries`."""
    return msgspec.json.encode(message)


def decode(value: bytes) -> Message:
    """Read a message of `webhook.deliveries`; raises msgspec.MsgspecError on what is none."""
    return _decoder.decode(value)
