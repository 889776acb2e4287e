"""An alert and a position as restock writes them, for tests that read them."""

from __future__ import annotations

from schemas.alert import Alert, Product
from schemas.position import PositionOrder, StockPosition

# 2026-11-23T16:05:09Z
MOMENT = 1_795_449_909_000_000
MILK = Product("Milk 1 l", "Dairy", "Milk", "Fjord")
FIGURES = {
    "z": 1.645, "lead_time_days": 2.0, "lead_time_sd_days": 0.0, "demand_a_day": 3.1, "lead_demand": 6.2,
    "lead_variance": 9.0, "reorder_point": 11.135, "order_up_to": 14.235, "pack": 6.0, "position": 5.0,
    "suggested_order": 12.0,
}  # fmt: skip


def alert(**fields):
    told = {
        "alert_id": "3f9a" + "0" * 28, "rule": "reorder_point", "state": "raised", "severity": "warning",
        "store_id": "12", "sku": "7038010055720", "product": MILK, "on_hand": "5", "on_order": "0",
        "reorder_point": "11.13", "days_of_cover": "1.61", "suggested_order": "12", "lost_revenue_per_day": "84.25",
        "currency": "NOK", "window_start": "2026-11-23T16:05:00Z", "raised_at": "2026-11-23T16:05:09Z",
        "changed_at": "2026-11-23T16:05:09Z", "figures": FIGURES, "sequence": 1,
    }  # fmt: skip
    return Alert(**{**told, **fields})


def position(**fields):
    order = PositionOrder("o1", MOMENT - 1_000_000, 1_200_000, MOMENT + 1_000_000, "placed", "3f9a" + "0" * 28)
    told = {
        "version": 17, "store_id": "12", "sku": "7038010055720", "counted": True, "on_hand": 500_000,
        "on_order": 1_200_000, "orders": [order], "demand_a_day": 3.1, "days_of_cover": 1.61,
        "reorder_point": 11.135, "order_up_to": 14.235, "price": 271_800, "currency": "NOK", "updated_at": MOMENT,
        "product": MILK,
    }  # fmt: skip
    return StockPosition(**{**told, **fields})
