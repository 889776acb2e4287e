"""Receipts for the fault suite: seeded, so that a failure repeats, with the disorder that real tills bring."""

from __future__ import annotations

import json
import random
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

BEGIN = datetime(2026, 9, 1, tzinfo=UTC)
STORES, SKUS = 40, 400
# What sells most is what stock is told of.
TRACKED = ("sku1", "sku2", "sku3", "sku4")
MOVEMENTS = [*["delivery"] * 5, "count", "adjustment", "transfer_out", *["order_placed"] * 2, "order_cancelled"]


@dataclass(frozen=True)
class Disorder:
    """Shares of all receipts: beyond grace, sent again, malformed; within how many minutes the order is shuffled."""

    beyond: float = 0.01
    again: float = 0.03
    malformed: float = 0.0
    minutes: float = 60.0


def receipts(many: int, seed: int, disorder: Disorder = Disorder(), days: float = 8.0) -> list[tuple[str, bytes]]:
    """(store, message) in the order of sending, over so many days; 5 % come hours late, but within grace."""
    drawn = random.Random(seed)
    sent: list[tuple[str, bytes]] = []
    for number in range(many):
        minutes = number * days * 1440 / many - drawn.random() * disorder.minutes
        minutes -= drawn.choices([0.0, drawn.random() * 90 * 60, 6 * 1440.0], [94, 5, 100 * disorder.beyond])[0]
        store = str(drawn.randrange(STORES))
        kind = drawn.choices(["sale", "return", "exchange", "post_void", "training", "void"], [88, 4, 3, 3, 1, 1])[0]
        lines = [
            {
                "sku": f"sku{min(int(drawn.paretovariate(0.7)), SKUS)}",
                "quantity": drawn.choice(["1", "2", "0.754", "12"]),
                "amount": f"{drawn.randrange(99_999) / 100:.2f}",
                **({"discount": f"{drawn.randrange(500) / 100:.2f}"} if drawn.random() < 0.3 else {}),
                **({"kind": "return"} if kind == "exchange" and drawn.random() < 0.5 else {}),
                **({"void": True} if drawn.random() < 0.02 else {}),
            }
            for _ in range(drawn.randrange(1, 14))
        ]
        receipt = {
            "transaction_id": f"t{number}", "store_id": store, "type": kind, "currency": drawn.choice(["NOK", "SEK"]),
            "occurred_at": (BEGIN + timedelta(minutes=minutes)).isoformat(), "lines": lines,
        }  # fmt: skip
        if drawn.random() < disorder.malformed:
            sent.append((store, malformed(receipt, drawn)))
        elif sent and drawn.random() < disorder.again:
            sent.append(drawn.choice(sent[-2_000:]))
        else:
            sent.append((store, json.dumps(receipt).encode()))
    return sent


def malformed(receipt: dict, drawn: random.Random) -> bytes:
    """The receipt with one thing wrong with it."""
    value = json.dumps(receipt).encode()
    way = drawn.randrange(6)
    if way == 0:
        return value[: drawn.randrange(len(value))]
    if way == 1:
        return value.replace(b'"amount": "', b'"amount": "-')
    if way == 2:
        return json.dumps({**receipt, "occurred_at": "2026-09-01T10:00:00"}).encode()
    if way == 3:
        return json.dumps({**receipt, "lines": []}).encode()
    if way == 4:
        return json.dumps({**receipt, "customer_id": "4111 1111 1111 1111"}).encode()
    return b"\xff" + value


def with_stock(sent, seed, share=0.25):
    """The receipts, with stock movements between them, up to six hours old; first of all every shelf is counted."""
    drawn, now, stores, number = random.Random(seed), None, set(), 0
    found = []

    def move(store, sku, kind, at, quantity):
        nonlocal number
        number += 1
        at = at.replace(minute=0, second=0, microsecond=0) if kind == "count" else at + timedelta(microseconds=number)
        movement = {
            "movement_id": f"m{number}", "store_id": store, "sku": sku, "kind": kind, "quantity": str(quantity),
            "occurred_at": at.isoformat(),
        }  # fmt: skip
        found.append((store, json.dumps(movement).encode()))

    for store, value in sent:
        at = _occurred_at(value)
        if at is not None:
            now = max(now or at, at)
        if now is not None and store not in stores:
            stores.add(store)
            for sku in TRACKED:
                move(store, sku, "count", now - timedelta(days=2), drawn.randrange(150))
        elif now is not None and drawn.random() < share:
            kind, at = drawn.choice(MOVEMENTS), now - timedelta(hours=6 * drawn.random())
            quantity = drawn.randrange(-40, 40) if kind == "adjustment" else drawn.randrange(1, 150)
            move(drawn.choice(sorted(stores)), drawn.choice(TRACKED), kind, at, quantity)
        found.append((store, value))
    return found


def _occurred_at(value):
    try:
        return datetime.fromisoformat(json.loads(value)["occurred_at"]).astimezone(UTC)
    except ValueError:
        return None


def is_movement(value):
    """Whether it belongs into `stock.movements`."""
    return value.startswith(b'{"movement_id"')


def receipts_of(sent):
    """How many receipts there are."""
    return sum(not is_movement(value) for _, value in sent)
