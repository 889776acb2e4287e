"""Reading a receipt by every rule, against msgspec's bare typed decode of the same bytes: python bench/decode.py

    python bench/decode.py [--receipts 40000] [--rounds 5] [--json]

Four kinds of the demo's receipts: decimals as strings, as JSON numbers, with a field that the contract does not name,
and (bare) what msgspec alone takes, without a check of numbers, times, currencies or card numbers. One by one in
Python, as the ledger reads them, and a chunk at a time by the kernel, as the fold does, which checks their keys and
hashes their ids as well. The best of the rounds counts, in alternation.
"""

from __future__ import annotations

import argparse
import gc
import json
import sys
import time

import msgspec
from lib import machine
from rich.console import Console
from rich.table import Table

from kernel.reading import Reading
from kernel.records import Record, Records
from schemas.currency import CODES
from schemas.decode import decode
from schemas.receipt import ReceiptMessage
from streams.app import RECORDS_PER_CHUNK
from tillstream.local import demo_data

BARE = "bare msgspec"
NEVER_AHEAD = 4_000_000_000_000  # a Kafka timestamp after every receipt


def numbers(value: bytes) -> bytes:
    """The receipt with its decimals as JSON numbers."""
    receipt = json.loads(value)
    for line in receipt["lines"]:
        for name in ("quantity", "amount", "discount"):
            line[name] = float(line[name])
    return json.dumps(receipt).encode()


def one_by_one(read):
    def reading(values) -> None:
        for value in values:
            read(value)

    return reading


def by_the_kernel(keys, texts):
    """In chunks and in columns, as the worker gets them; each receipt must be of a kind that it reads."""
    records = [Record(at, NEVER_AHEAD, *one) for at, one in enumerate(zip(keys, texts, strict=True))]
    chunks = [Records.of(records[at : at + RECORDS_PER_CHUNK]) for at in range(0, len(records), RECORDS_PER_CHUNK)]

    def reading(values) -> None:
        assert sum(map(len, chunks)) == len(values)
        for chunk in chunks:
            assert Reading(chunk, 0, CODES).left_over() == []

    return reading


def seconds(read, values) -> float:
    gc.collect()
    begun = time.perf_counter()
    read(values)
    return time.perf_counter() - begun


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--receipts", type=int, default=40_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()

    receipts = list(demo_data.receipts(given.receipts))
    lines = sum(receipt.lines for receipt in receipts)
    keys = [receipt.store_id.encode() for receipt in receipts]
    texts = [receipt.value for receipt in receipts]
    as_numbers = [numbers(value) for value in texts]
    contestants = {
        BARE: (one_by_one(msgspec.json.Decoder(ReceiptMessage).decode), texts),
        "decimals as strings": (one_by_one(decode), texts),
        "decimals as JSON numbers": (one_by_one(decode), as_numbers),
        "with an unknown field": (one_by_one(decode), [value[:-1] + b',"note":"x"}' for value in texts]),
        "decimals as strings, by the kernel": (by_the_kernel(keys, texts), texts),
        "decimals as JSON numbers, by the kernel": (by_the_kernel(keys, as_numbers), as_numbers),
    }
    gc.freeze()
    best = dict.fromkeys(contestants, float("inf"))
    for _ in range(given.rounds):
        for name, (read, values) in contestants.items():
            best[name] = min(best[name], seconds(read, values))
    rates = {name: lines / took for name, took in best.items()}
    if given.json:
        sys.stdout.write(json.dumps({"machine": machine.machine(), "lines_per_second": rates}, indent=2) + "\n")
        return
    table = Table(title="lines/s on one core", title_justify="left")
    for column in ("what", "of bare msgspec", "lines/s"):
        table.add_column(column, justify="left" if column == "what" else "right")
    for name, rate in rates.items():
        table.add_row(name, f"{rate / rates[BARE]:.2f}", f"{rate:,.0f}")
    Console().print(table)
    Console().print(f"measured on {machine.machine()}", soft_wrap=True)


if __name__ == "__main__":
    main()
