"""A stock movement: a message of `stock.movements`.

The restock rules that use it come with a later release; what is a valid movement is settled here, once.
"""

from __future__ import annotations

from typing import Any, Literal

import msgspec

from schemas.errors import Refused
from schemas.fields import Token, choice, identifier, parse, required, text_of
from schemas.numbers import QUANTITY, NumberFault
from schemas.receipt import MAX_BYTES, Identifier
from schemas.times import TimeFault, instant

Kind = Literal["count", "delivery", "adjustment", "transfer_in", "transfer_out", "order_placed", "order_cancelled"]
KINDS: tuple[Kind, ...] = (
    "count", "delivery", "adjustment", "transfer_in", "transfer_out", "order_placed", "order_cancelled",
)  # fmt: skip


class StockMessage(msgspec.Struct, frozen=True, gc=False):
    """A movement as it stands in the topic. `quantity` is positive, but for an adjustment, which may be negative."""

    movement_id: Identifier
    store_id: Identifier
    sku: Identifier
    kind: Kind
    quantity: str
    occurred_at: str


class StockMovement(msgspec.Struct, frozen=True, gc=False):
    """A movement that has been checked. `quantity` in hundred-thousandths, `occurred_at` in microseconds, UTC.

    A `count` sets what is on hand at its moment; the other kinds add to it, or (transfer_out) take from it.
    `order_placed` and `order_cancelled` move what is on order, which a `delivery` lowers as well.
    """

    movement_id: str
    store_id: str
    sku: str
    kind: Kind
    quantity: int
    occurred_at: int


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
        _occurred_at(required("$.occurred_at", found)),
    )


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


def _occurred_at(value: Any) -> int:
    if isinstance(value, Token):
        raise Refused("$.occurred_at", "must be a string", "put it into quotes")
    try:
        return instant(text_of("$.occurred_at", value))
    except TimeFault as fault:
        raise Refused("$.occurred_at", str(fault), "send it as 2026-11-23T17:05:09+01:00") from None
