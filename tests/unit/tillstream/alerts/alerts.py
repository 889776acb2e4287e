"""Alerts as they are found in ClickHouse."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

from tests.unit.schemas.restock import FIGURES
from tillstream.alerts.found import FoundAlert

AT = datetime(2026, 11, 23, 16, 5, 9, tzinfo=UTC)


def found(**fields):
    told = {
        "alert_id": "3f9a" + "0" * 28, "sequence": 1, "partition": 2, "rule": "reorder_point", "state": "raised",
        "severity": "warning", "store_id": "12", "sku": "7038010055720", "name": "Milk 1 l", "department": "Dairy",
        "category": "Milk", "brand": "Fjord", "on_hand": Decimal("5.00000"), "on_order": Decimal(0),
        "reorder_point": Decimal("11.13"), "days_of_cover": 1.61, "suggested_order": Decimal(12),
        "lost_revenue_per_day": Decimal("84.25"), "currency": "NOK", "window_start": AT, "raised_at": AT,
        "changed_at": AT, "snoozed_until": None, "reason": "", "figures": FIGURES,
    }  # fmt: skip
    return FoundAlert(**{**told, **fields})
