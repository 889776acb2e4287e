"""What a stock movement does to a store's item: on hand, on order, and what is known of its shelf."""

from __future__ import annotations

from schemas.errors import Refused
from schemas.feed import Movement
from streams.restock.orders import OrderMovement
from streams.restock.shop import Shop
from streams.restock.state import RestockState

_SIGN = {"delivery": 1, "adjustment": 1, "transfer_in": 1, "transfer_out": -1}
_ORDERS = ("order_placed", "order_shipped", "order_cancelled", "delivery")


def take_movement(state: RestockState, shop: Shop, message: Movement) -> bool:
    """Take it up; says whether it is a new one. Raises Refused where it is too old to tell.

    Movements are known by their id within grace; and by their offset in `stock.movements`, which a crash may repeat.
    """
    if message.offset <= state.movements:
        return False
    state.movements = message.offset
    if message.movement_id in shop.ids:
        return False
    if shop.watermark is not None and message.occurred_at < shop.horizon(state.windows):
        raise Refused(
            "$.occurred_at",
            "lies before the store's newest receipt by more than the grace: whether it was told before is forgotten",
            "count the shelf, and send the count",
        )
    shop.ids[message.movement_id] = message.occurred_at
    shop.latest_movement = max(shop.latest_movement, message.occurred_at)
    item = state.track(shop, message.sku)
    if message.kind == "count":
        item.position.count(message.occurred_at, message.quantity)
        item.running().looked(shop.clock_of(message.occurred_at))
    elif message.kind in _SIGN:
        item.position.move(message.occurred_at, _SIGN[message.kind] * message.quantity)
    if message.kind in _ORDERS:
        item.orders.take(_order(message))
        if message.expected_at is not None:
            shop.remind(message.expected_at + 1, message.sku)
    item.observe(shop.trading.done)
    return True


def _order(message: Movement) -> OrderMovement:
    return OrderMovement(
        message.occurred_at,
        message.movement_id,
        message.kind,  # type: ignore[arg-type]  # one of _ORDERS
        message.quantity,
        message.order_id,
        message.expected_at,
        message.alert_id,
    )
