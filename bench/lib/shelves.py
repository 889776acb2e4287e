"""Shelves that get empty one after the other while receipts are published: which are counted, and at how much.

A SKU of a receipt is counted, before all receipts, at as many units as its store sells of it up to that receipt, which
therefore takes the last one. Pure: the receipts alone say all of it, since a store's are in one partition, in order.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import NamedTuple

import msgspec

from tillstream.outgoing import Outgoing

Pair = tuple[str, str]
_TOO_MANY = 1_000_000  # for a movement's quantity; the demo has SKUs of which thousands are sold at once
_UNIX = datetime(1970, 1, 1, tzinfo=UTC)


class _Line(msgspec.Struct):
    sku: str
    quantity: str


class _Receipt(msgspec.Struct):
    lines: list[_Line]


class Shelf(NamedTuple):
    """`units` stand on it at first; the receipt of this number takes the last of them."""

    store_id: str
    sku: str
    units: Decimal
    receipt: int


def shelves(receipts: Sequence[Outgoing], every: float) -> list[Shelf]:
    """A shelf for every so many lines, each of another SKU or store; fewer where receipts sell too few of them."""
    read = msgspec.json.Decoder(_Receipt).decode
    sold: defaultdict[Pair, Decimal] = defaultdict(Decimal)
    chosen: set[Pair] = set()
    found: list[Shelf] = []
    lines, wanted = 0, every
    for number, one in enumerate(receipts):
        bought = [(line.sku, Decimal(line.quantity)) for line in read(one.value).lines]
        for sku, units in bought:
            sold[one.store_id, sku] += units
        lines += one.lines
        free = [
            sku
            for sku, units in bought
            if units > 0 and sold[one.store_id, sku] < _TOO_MANY and (one.store_id, sku) not in chosen
        ]
        if lines >= wanted and free:
            wanted += every
            chosen.add((one.store_id, free[0]))
            found.append(Shelf(one.store_id, free[0], sold[one.store_id, free[0]], number))
    return found


def counts(found: Sequence[Shelf], first: int) -> list[Outgoing]:
    """Messages of `stock.movements` that count them a second before the first receipt, whose time is `first`."""
    moment = first - 1_000_000
    text = (_UNIX + timedelta(microseconds=moment)).isoformat()
    return [
        Outgoing(
            one.store_id,
            moment,
            json.dumps(
                {
                    "movement_id": f"count-{one.store_id}-{one.sku}",
                    "store_id": one.store_id,
                    "sku": one.sku,
                    "kind": "count",
                    "quantity": f"{one.units:f}",
                    "occurred_at": text,
                }
            ).encode(),
        )
        for one in found
    ]
