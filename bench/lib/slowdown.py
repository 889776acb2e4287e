"""Whether decode, fold and flush have become slower: their CPU time against a loop of the same kind, never seconds.

The yardstick reads the same receipts with msgspec alone and adds their lines up in a dictionary: what the interpreter,
the processor and other work do to decode and fold, they do to it as well. Both are timed in turn, by the thread's own
CPU time, and the smallest of many turns counts, since what disturbs only ever adds.
"""

from __future__ import annotations

import gc
import json
import random
import time
from collections.abc import Callable, Mapping
from types import SimpleNamespace

import msgspec

from kernel.records import Records
from schemas.decode import decode
from streams.flush import flush
from streams.fold import fold
from streams.state import PartitionState
from streams.windows import Windows

# Times of the yardstick that each took when this was last looked at (Python 3.11, AMD EPYC). Lower one when its code
# has become faster; raise one only with a reason that CHANGELOG tells.
USUAL = {"decode": 2.3, "fold and flush": 1.45}
# Of twenty times under a load of 15 none was above 1.05; what was made half as slow again was never below 1.4.
# Nearer to the latter, since another processor than the one that USUAL was seen on may shift the ratio.
TOLERANCE = 1.33
# Turns of a few milliseconds, since a short one has a better chance of being left alone.
FEWEST, MOST = 50, 400
RECEIPTS, LINES, STORES, SKUS = 100, 9, 2, 3_000
MICROSECOND = 1_000_000
WINDOWS = Windows(300 * MICROSECOND, 4 * 86_400 * MICROSECOND)
BEGIN_MS = 1_767_225_600_000  # 2026-01-01
_TOPIC = "pos.receipts"

Task = Callable[[], float]


class _Line(msgspec.Struct, gc=False):
    sku: str
    quantity: str
    amount: str
    discount: str


class _Receipt(msgspec.Struct, gc=False):
    transaction_id: str
    store_id: str
    occurred_at: str
    lines: list[_Line]


class _Sum(msgspec.Struct, gc=False):
    count: int
    length: int


def records() -> list[SimpleNamespace]:
    """The same receipts each time, as the log delivers them."""
    chance = random.Random(7)
    made = []
    for offset in range(RECEIPTS):
        store = str(chance.randrange(STORES))
        second = offset * 3
        receipt = {
            "transaction_id": f"T{offset:08d}",
            "store_id": store,
            "occurred_at": f"2026-01-01T{second // 3600:02d}:{second // 60 % 60:02d}:{second % 60:02d}Z",
            "currency": "USD",
            "lines": [
                {
                    "sku": str(1_000_000 + chance.randrange(SKUS)),
                    "quantity": "1",
                    "amount": f"{chance.randrange(100, 5_000) / 100:.2f}",
                    "discount": "0.00",
                }
                for _ in range(LINES)
            ],
        }
        value = json.dumps(receipt).encode()
        made.append(SimpleNamespace(offset=offset, timestamp=BEGIN_MS + second * 1000, key=store.encode(), value=value))
    return made


def yardstick(log: list[SimpleNamespace]) -> Task:
    """Read with msgspec alone, and add up by store and SKU."""
    read = msgspec.json.Decoder(_Receipt).decode

    def once() -> float:
        sums: dict[tuple[str, str], _Sum] = {}
        begun = time.thread_time()
        for record in log:
            receipt = read(record.value)
            for line in receipt.lines:
                key = receipt.store_id, line.sku
                found = sums.get(key)
                if found is None:
                    sums[key] = _Sum(1, len(line.amount))
                else:
                    found.count += 1
                    found.length += len(line.amount)
        return time.thread_time() - begun

    return once


def tasks(log: list[SimpleNamespace]) -> dict[str, Task]:
    """What is guarded: reading by every rule; all that a worker does between a chunk of bytes and what it sends."""

    def decoding() -> float:
        begun = time.thread_time()
        for record in log:
            decode(record.value)
        return time.thread_time() - begun

    in_columns = Records.of(log)  # as the worker gets them

    def folding() -> float:
        state = PartitionState(1, 0, "guard", WINDOWS)
        begun = time.thread_time()
        done = fold(state, in_columns, _TOPIC, 600 * MICROSECOND)
        for _ in flush(state, done, 0):
            pass
        took = time.thread_time() - begun
        assert done.results["folded"] == len(log)
        return took

    return {"decode": decoding, "fold and flush": folding}


def times_of_yardstick(
    guarded: Mapping[str, Task], measure: Task, limits: Mapping[str, float], most: int = MOST
) -> dict[str, float]:
    """How many yardsticks each task takes. Goes on, up to `most` turns, while one of them is above its limit."""
    least = dict.fromkeys(guarded, float("inf"))
    rod = float("inf")
    gc.collect()
    gc.disable()
    try:
        for turn in range(1, most + 1):
            for name, task in guarded.items():
                rod = min(rod, measure())
                least[name] = min(least[name], task())
            if turn >= FEWEST and all(took / rod <= limits[name] for name, took in least.items()):
                break
    finally:
        gc.enable()
    return {name: took / rod for name, took in least.items()}


def limits() -> dict[str, float]:
    """The most yardsticks that each may take."""
    return {name: usual * TOLERANCE for name, usual in USUAL.items()}
