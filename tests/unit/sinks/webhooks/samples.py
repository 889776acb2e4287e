"""An alert, an endpoint and a delivery, to be changed by the fields that a test is about."""

from __future__ import annotations

from msgspec.structs import replace

from schemas.alert import Alert, Product
from schemas.delivery import Delivery
from sinks.webhooks.endpoint import Endpoint

NOW = 1_795_453_509_000_000  # 2026-11-23T17:05:09Z
SECRET = "whsec_" + "c2VjcmV0" * 6
OTHER = "whsec_" + "b3RoZXIt" * 6
ALERT = Alert(
    alert_id="a1", rule="reorder_point", state="raised", severity="warning", store_id="12", sku="7038010055720",
    product=Product(name="Milk"), on_hand="3", on_order="0", reorder_point="9.4", window_start="2026-11-23T17:00:00Z",
    raised_at="2026-11-23T17:05:08Z", changed_at="2026-11-23T17:05:08Z", figures={"z": 1.64}, sequence=1,
)  # fmt: skip


def alert(**fields):
    return replace(ALERT, **fields)


def endpoint(**fields):
    return Endpoint(**{"name": "erp", "url": "http://127.0.0.1:1/", "secrets": (SECRET,), **fields})


def delivery(**fields):
    return Delivery(
        **{
            "webhook_id": "msg_1", "endpoint": "erp", "type": "restock.raised", "state": "pending", "next_at": NOW,
            "at": NOW, "partition": 0, "offset": 7, "alert_id": "a1", "sequence": 1, "occurred_at": NOW - 1_000_000,
            "store_id": "12", "sku": "7038010055720", "rule": "reorder_point", "severity": "warning", **fields,
        }
    )  # fmt: skip
