"""The totals that every contestant must come to, and how each writes them down: revenue per store, SKU and hour.

A total is named "store|sku|hour", the hour as the receipts write it ("2017-01-01T11"); its revenue is in
ten-thousandths. `read_…` take a record of a contestant's topic; nothing here is shared with how tillstream counts.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable
from datetime import UTC, datetime
from decimal import Decimal
from functools import cache

import msgspec

SCALE = 10_000
HOUR_MICROSECONDS = 3_600_000_000


class _Line(msgspec.Struct, gc=False):
    sku: str
    amount: str


class _Receipt(msgspec.Struct, gc=False):
    store_id: str
    occurred_at: str
    lines: list[_Line]


def expected(receipts: Iterable[bytes]) -> dict[str, int]:
    """The sum of the receipts themselves."""
    totals: defaultdict[str, int] = defaultdict(int)
    read = msgspec.json.Decoder(_Receipt).decode
    for receipt in map(read, receipts):
        hour = receipt.occurred_at[:13]
        for line in receipt.lines:
            totals[f"{receipt.store_id}|{line.sku}|{hour}"] += _scaled(line.amount)
    return dict(totals)


def differences(expected_: dict[str, int], found: dict[str, int]) -> int:
    """How many totals are missing, too many, or not the same."""
    missing = sum(1 for name, revenue in expected_.items() if found.get(name) != revenue)
    return missing + sum(1 for name in found if name not in expected_)


@cache
def hour_of(microseconds: int) -> str:
    """The hour in which a window starts."""
    start = microseconds - microseconds % HOUR_MICROSECONDS
    return datetime.fromtimestamp(start // 1_000_000, UTC).strftime("%Y-%m-%dT%H")


def read_kafka_streams(key: bytes, value: bytes) -> tuple[str, int]:
    """Serdes.String and Serdes.Long: the name as it is, eight bytes, the largest first."""
    return key.decode(), int.from_bytes(value, "big", signed=True)


def read_quix(key: bytes, value: bytes) -> tuple[str, int]:
    """The message's key and the state's key, each as JSON, with a bar between; the value as JSON."""
    store, _, rest = key.decode().partition("|")
    return f"{json.loads(store)}|{json.loads(rest)}", json.loads(value)


def read_textbook_faust(key: bytes, value: bytes) -> tuple[str, int]:
    """Faust's JSON: the name, and the sum as a decimal's text."""
    return json.loads(key), _scaled(json.loads(value))


class _FlinkKey(msgspec.Struct, gc=False):
    store_id: str
    sku: str
    hour_of: str


class _FlinkValue(msgspec.Struct, gc=False):
    revenue: Decimal


_flink_key = msgspec.json.Decoder(_FlinkKey).decode
_flink_value = msgspec.json.Decoder(_FlinkValue).decode


def read_flink(key: bytes, value: bytes) -> tuple[str, int]:
    """The table's primary key and its row, as JSON."""
    name = _flink_key(key)
    return f"{name.store_id}|{name.sku}|{name.hour_of}", int(_flink_value(value).revenue * SCALE)


def _scaled(text: str) -> int:
    return int(Decimal(text) * SCALE)
