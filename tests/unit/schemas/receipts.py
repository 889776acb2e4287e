"""Receipts for tests: a valid one, and how to change one of its fields by path."""

from __future__ import annotations

import copy
import json
import re

ABSENT = object()

RECEIPT = {
    "transaction_id": "S12-T4-20261123-000871", "store_id": "12", "till_id": "4", "sequence": 871,
    "type": "sale", "occurred_at": "2026-11-23T17:05:09+01:00", "business_date": "2026-11-23", "currency": "NOK",
    "customer_id": "opaque-token", "original_transaction_id": None,
    "lines": [
        {"line": 1, "sku": "7038010055720", "quantity": "2", "amount": "59.80", "discount": "5.00"},
        {"line": 2, "sku": "2000000000017", "quantity": "0.754", "unit": "kg", "amount": "112.35", "kind": "sale"},
    ],
}  # fmt: skip


def changed(path: str, value: object) -> dict:
    """The receipt with the field at `$.a.b[1].c` set to a value, or removed."""
    found = copy.deepcopy(RECEIPT)
    *way, last = [int(part) if part.isdigit() else part for part in re.findall(r"[^.\[\]$]+", path)]
    place = found
    for part in way:
        place = place[part]
    if value is ABSENT:
        del place[last]
    else:
        place[last] = value
    return found


def encoded(receipt: object) -> bytes:
    return json.dumps(receipt, ensure_ascii=False).encode()
