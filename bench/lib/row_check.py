"""Read back everything that a worker wrote of a synthetic chain, and compare it, row by row, with an exact count."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from itertools import chain as chained
from pathlib import Path

import numpy as np

from lib import log, row_days
from lib.chain import FIRST_SKU
from lib.row_days import FIGURES, ROW, RowDays
from lib.till_text import CURRENCY
from lib.tills import DAY, FIRST_DAY, WINDOW, Array, name_of
from schemas import topics, window
from tillstream.settings import Settings

_BEGIN = int(datetime(FIRST_DAY.year, FIRST_DAY.month, FIRST_DAY.day, tzinfo=UTC).timestamp())
# Rows that wait in memory before they go into files.
_ROWS_WAITING = 1_000_000


def rows_of(message: window.WindowMessage) -> Array:
    """A message's rows, its receipts as one more; raises ValueError where it is of another chain."""
    number, outside = divmod(message.window_start // 1_000_000 - _BEGIN, WINDOW)
    day = name_of(number * WINDOW // DAY)
    if outside or message.rows.keys() != {CURRENCY} or message.rows[CURRENCY].keys() != {day}:
        raise ValueError(f"Not of this chain: {message.window_start}, {list(message.rows)}")
    skus = message.rows[CURRENCY][day]
    figures = np.fromiter(chained.from_iterable(skus.values()), "i8", 7 * len(skus)).reshape(-1, 7)
    found = np.zeros(len(skus) + 1, ROW)
    sku = np.fromiter(map(int, skus), "i8", len(skus)) - FIRST_SKU
    found["key"] = row_days.keys(int(message.store_id) - 1, number, np.append(sku, row_days.ITS_RECEIPTS))
    for at, name in enumerate((*FIGURES, "version")):
        found[name][:-1] = figures[:, at]
    found["receipts"][-1], found["version"][-1] = message.receipts, message.version
    return found


async def read_back(settings: Settings, into: RowDays, advance: Callable[[int], None]) -> dict[str, int]:
    """Write all rows of sales.windows into files; gives the messages by result that the worker counted.

    `advance` is told now and then how many rows have been read.
    """
    counts: dict[int, window.CountsMessage] = {}
    waiting, many, read = [], 0, 0
    async for record in log.all_records(settings, settings.topic_prefix + topics.WINDOWS):
        message = window.decode(record.value)
        if isinstance(message, window.CountsMessage):
            if message.version >= counts.get(message.partition, message).version:
                counts[message.partition] = message
            continue
        waiting.append(rows_of(message))
        many += len(waiting[-1])
        if many >= _ROWS_WAITING:
            into.add(np.concatenate(waiting))
            read += many
            advance(read)
            waiting, many = [], 0
    if waiting:
        into.add(np.concatenate(waiting))
    results: dict[str, int] = {}
    for one in counts.values():
        for result, messages in one.counts.items():
            results[result] = results.get(result, 0) + messages
    return {result: messages for result, messages in results.items() if messages}


def wrong_rows(wanted: Path, found: Path) -> Iterator[tuple[int, int, int]]:
    """Day by day: (day, rows that are wanted, differences)."""
    ours, theirs = RowDays(wanted), RowDays(found)
    for day in sorted(ours.days() | theirs.days()):
        expected = row_days.summed(ours.rows(day))
        yield day, len(expected), row_days.differences(expected, row_days.newest(theirs.rows(day)))
