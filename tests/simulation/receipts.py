"""Receipts of a history: what is meant by each, beside the bytes that a till would send.

The oracle reads the meaning and the product the bytes, so that they share no decoder. Times are whole minutes since
BASE, which lies before any clock that a test may run under.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import NamedTuple

BASE = datetime(2024, 1, 9, 12, tzinfo=UTC)
MINUTE = 60_000_000
MAX_SKEW = 10 * MINUTE
# Every record is published long after the tests' day, so that only a receipt of FUTURE is ahead of its record.
PUBLISHED = int((BASE + timedelta(days=20)).timestamp() * 1000)
FUTURE = 30 * 24 * 60


class Line(NamedTuple):
    """One line; decimals as a till writes them."""

    sku: str
    quantity: str
    amount: str
    discount: str = "0"
    tax: str = "0"
    void: bool = False
    returned: bool = False


class Receipt(NamedTuple):
    """What a till means. `fault` names what is wrong with the record, "" where nothing is; `day` is a business date."""

    store: str
    name: str
    minute: int
    lines: tuple[Line, ...]
    type: str = "sale"
    currency: str = "NOK"
    day: str = ""
    fault: str = ""

    @property
    def business_date(self) -> str:
        """The day that its rows belong to."""
        return self.day or _time(self.minute)[:10]


def _time(minute: int) -> str:
    return (BASE + timedelta(minutes=minute)).isoformat()


@lru_cache(maxsize=1 << 14)
def record(receipt: Receipt) -> tuple[bytes | None, bytes | None]:
    """Key and value as they stand in `pos.receipts`."""
    key = receipt.store.encode()
    match receipt.fault:
        case "json":
            return key, b"{no receipt"
        case "empty":
            return key, None
        case "key":
            key = b"another"
    found: dict = {
        "transaction_id": receipt.name,
        "store_id": receipt.store,
        "occurred_at": _time(receipt.minute + (FUTURE if receipt.fault == "ahead" else 0)),
        "currency": receipt.currency,
        "type": receipt.type,
        "lines": [
            {
                "sku": line.sku,
                "quantity": line.quantity,
                "amount": line.amount,
                "discount": line.discount,
                "tax": line.tax,
                **({"void": True} if line.void else {}),
                **({"kind": "return"} if line.returned else {}),
            }
            for line in receipt.lines
        ],
    }
    if receipt.day:
        found["business_date"] = receipt.day
    if receipt.fault == "sign":
        found["lines"][0]["amount"] = "-1"
    return key, json.dumps(found).encode()
