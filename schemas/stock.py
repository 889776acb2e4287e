"""A stock movement: a message of `stock.movements`. What is a valid one is settled here, once."""

from __future__ import annotations

from typing import Any, Literal, get_args

import msgspec

from schemas.errors import Refused
from schemas.fields import Token, checked, choice, identifier, optional, parse, required, text_of
from schemas.numbers import QUANTITY, NumberFault
from schemas.receipt import MAX_BYTES, Identifier
from schemas.times import instant

Kind = Literal[
    "count", "delivery", "adjustment", "transfer_in", "transfer_out", "order_placed", "order_shipped", "order_cancelled"
]
KINDS: tuple[Kind, ...] = get_args(Kind)


class StockMessage(msgspec.Struct, frozen=True, gc=False):
    """A movement as it stands in the topic. `quantity` is positive, but for an adjustment, which may be negative.

    An order may say when it is expected (`expected_at`) and which alert it answers (`alert_id`); what ships, cancels or
    delivers an order may name it by its movement_id (`order_id`).
    """

    movement_id: Identifier
    store_id: Identifier
    sku: Identifier
    kind: Kind
    quantity: str
    occurred_at: str
    expected_at: str | None = None
    alert_id: Identifier | None = None
    order_id: Identifier | None = None


class StockMovement(msgspec.Struct, frozen=True, gc=False):
    """A movement that has been checked. `quantity` in hundred-thousandths, times in microseconds, UTC.

    A `count` sets what is on hand at its moment; the other kinds add to it, or (transfer_out) take from it.
    `order_placed` and `order_cancelled` move what is on order, which a `delivery` lowers as well; `order_shipped` says
    that it is on its way. Empty is unknown.
    """

    movement_id: str
    store_id: str
    sku: str
    kind: Kind
    quantity: int
    occurred_at: int
    expected_at: int | None = None
    alert_id: str = ""
    order_id: str = ""


def decode(value: bytes) -> StockMovement:
    """Read one movement; raises schemas.errors.Refused on anything that is none. Unknown fields are ignored."""
    if len(value) > MAX_BYTES:
        raise Refused("$", f"has {len(value):,} bytes, more than 1 MiB", "send one movement a message")
    found = parse(value)
    if not isinstance(found, dict):
        raise Refused("$", "must be a JSON object", "send one movement a message")
    kind = choice("$.kind", required("$.kind", found), KINDS)
    return StockMovement(
        identifier("$.movement_id", required("$.movement_id", found)),
        identifier("$.store_id", required("$.store_id", found)),
        identifier("$.sku", required("$.sku", found)),
        kind,  # type: ignore[arg-type]  # one of the literals
        _quantity(required("$.quantity", found), kind),
        _moment("$.occurred_at", required("$.occurred_at", found)),
        optional("$.expected_at", found.get("expected_at"), _moment),
        optional("$.alert_id", found.get("alert_id"), identifier) or "",
        optional("$.order_id", found.get("order_id"), identifier) or "",
    )


def admit(key: bytes | None, value: bytes | None, timestamp_ms: int, max_skew_us: int) -> StockMovement:
    """Decode a record of `stock.movements`, and check it against its key and its Kafka timestamp; raises Refused."""
    if value is None:
        raise Refused("$", "the record has no value", "publish the movement as the record's value")
    movement = decode(value)
    if key != movement.store_id.encode():
        raise Refused("$.store_id", "the record's key is not the store_id", "publish with key = store_id")
    if movement.occurred_at > timestamp_ms * 1000 + max_skew_us:
        raise Refused(
            "$.occurred_at",
            "more than MAX_SKEW ahead of the record's Kafka timestamp",
            "set the clock of whatever sends it, then send it again",
        )
    return movement


def _quantity(value: Any, kind: str) -> int:
    path = "$.quantity"
    if not isinstance(value, str):
        raise Refused(path, "must be a number or a string that holds one")
    sign, text = (-1, value[1:]) if value.startswith("-") else (1, str(value))
    if sign < 0 and kind != "adjustment":
        raise Refused(path, "must not be negative", "only an adjustment may be; a transfer_out takes away by its kind")
    try:
        return sign * QUANTITY.parse(text)
    except NumberFault as fault:
        raise Refused(path, str(fault), 'send a decimal such as "12" or "0.75"') from None


def _moment(path: str, value: Any) -> int:
    if isinstance(value, Token):
        raise Refused(path, "must be a string", "put it into quotes")
    return checked(path, instant, text_of(path, value), "send it as 2026-11-23T17:05:09+01:00")
