"""A log whose receipts leave so many open totals: those of the demo, and windows that are large each."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice

from lib.log import all_records
from schemas import topics
from schemas.decode import decode
from tillstream.local import demo_data
from tillstream.outgoing import Outgoing
from tillstream.settings import Settings

WINDOW_US = 300_000_000
# Of windows of 5 minutes, most hold about ten rows; of these there are as many as make a tenth of all rows.
LARGE = 5_000
LINES = 1_000
_NOON = 1_500_033_600_000_000  # 2017-07-14T12:00:00Z, within the demo's year


@dataclass(frozen=True, slots=True)
class Changelog:
    """What a worker has written: records, how many keys they have, and bytes of keys and values."""

    records: int
    keys: int
    size: int


def receipts_with(rows: int) -> tuple[int, int]:
    """(receipts, rows) of the demo: its first receipts that make at least so many rows of 5-minute windows."""
    found: set[tuple[str, str, int]] = set()
    for count, one in enumerate(demo_data.receipts(), 1):
        receipt = decode(one.value)
        start = receipt.occurred_at // WINDOW_US
        found.update((receipt.store_id, sku, start) for sku in receipt.lines.sku)
        if len(found) >= rows:
            return count, len(found)
    raise SystemExit(f"The demo has only {len(found):,} rows.")


def large_windows(many: int) -> Iterator[Outgoing]:
    """Receipts of `many` stores, each of which sells LARGE SKUs in one window."""
    for store in range(many):
        for part in range(LARGE // LINES):
            lines = [
                {"sku": f"{part * LINES + at:013}", "quantity": "1", "amount": "2.50"} for at in range(1, LINES + 1)
            ]
            receipt = {"transaction_id": f"large-{part}", "store_id": f"large-{store}", "currency": "USD",
                       "occurred_at": f"2017-07-14T12:00:0{part}Z", "lines": lines}  # fmt: skip
            yield Outgoing(f"large-{store}", _NOON + part * 1_000_000, json.dumps(receipt).encode(), LINES)


def receipts(rows: int) -> tuple[list[Outgoing], int]:
    """(receipts, rows): nine tenths of the rows are the demo's, the others those of large windows."""
    large = rows // 10 // LARGE
    count, found = receipts_with(rows - large * LARGE)
    return [*large_windows(large), *islice(demo_data.receipts(count), count)], found + large * LARGE


async def changelog(settings: Settings) -> Changelog:
    """Read it as any client does."""
    keys, records, size = set(), 0, 0
    async for record in all_records(settings, topics.changelog_topic(settings.topic_prefix, topics.FIRST_EPOCH)):
        keys.add(record.key)
        records += 1
        size += len(record.key) + len(record.value or b"")
    return Changelog(records, len(keys), size)
