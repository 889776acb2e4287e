"""How an item stands now, as `stock.positions` tells it."""

from __future__ import annotations

from schemas.position import PositionOrder, StockPosition
from streams.restock import rules
from streams.restock.item import Item
from streams.restock.shop import Shop


def standing(shop: Shop, item: Item, version: int) -> StockPosition:
    """What is on hand and on order after the feed's offset `version`, and how long it lasts."""
    shelf = item.shelf(shop.trading, shop.now)
    levels = None if shelf is None else rules.reorder_levels(shelf)
    return StockPosition(
        version=version,
        store_id=shop.store_id,
        sku=item.sku,
        counted=shelf is not None,
        on_hand=item.position.on_hand,
        on_order=item.orders.on_order,
        orders=[
            PositionOrder(
                one.order_id, one.placed_at, one.remaining, one.expected_at, one.stage(shop.now), one.alert_id
            )
            for one in item.orders.open
        ],
        demand_a_day=item.running().rate(item.prior).mean(shop.trading.a_day()),
        days_of_cover=None if shelf is None else rules.days_of_cover(shelf),
        reorder_point=None if levels is None else levels["reorder_point"],
        order_up_to=None if levels is None else levels["order_up_to"],
        price=None if shelf is None or shelf.price is None else round(shelf.price),
        currency=item.currency,
        updated_at=shop.now,
        product=item.product,
    )
