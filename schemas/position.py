"""Messages of `stock.positions`: what one SKU has on hand and on order in one store, and how long it lasts.

Absolute and versioned, so that writing one twice, or an older one after a newer one, changes nothing. Quantities are
integers of hundred-thousandths, money of ten-thousandths, times microseconds since the Unix epoch, UTC; what is an
estimate is a float of units or days.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from schemas.alert import Product

Stage = Literal["placed", "in_transit", "late"]


class PositionOrder(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """An open order: `remaining` has neither been delivered nor cancelled; `alert_id` is what it answers, or empty."""

    order_id: str
    placed_at: int
    remaining: int
    expected_at: int | None
    stage: Stage
    alert_id: str = ""


class StockPosition(msgspec.Struct, frozen=True, kw_only=True):
    """One SKU in one store, as it stood after the offset `version` of its partition of `restock.feed`.

    `on_hand` is None until somebody has counted, and so is what follows from it. `demand_a_day` are units that an
    average day sells, `reorder_point` and `order_up_to` units as well, `days_of_cover` days. `price` is what a unit has
    brought, None while none was sold. `updated_at` is the store's event time.
    """

    version: int
    store_id: str
    sku: str
    counted: bool
    on_hand: int | None
    on_order: int
    orders: list[PositionOrder] = []
    demand_a_day: float
    days_of_cover: float | None = None
    reorder_point: float | None = None
    order_up_to: float | None = None
    price: int | None = None
    currency: str = ""
    updated_at: int
    product: Product = Product()


_decoder = msgspec.json.Decoder(StockPosition)
_encoder = msgspec.json.Encoder()


def encode(position: StockPosition) -> bytes:
    """JSON, as it stands in `stock.positions`."""
    return _encoder.encode(position)


def decode(value: bytes) -> StockPosition:
    """Read a message of `stock.positions`; raises msgspec.MsgspecError on what is none."""
    return _decoder.decode(value)
