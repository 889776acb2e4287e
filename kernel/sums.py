"""Adds lines that were read to the rows of store-windows, many windows at once. See rows.c."""

from __future__ import annotations

import secrets
from array import array
from collections.abc import Sequence
from itertools import accumulate, chain

from kernel.buffers import address, buffers
from kernel.library import kernel
from kernel.reading import Reading

# A receipt of a window: first line, how many lines, group, offset, and a sign: 1, -1 for a reversal, 0 where the rows
# hold it already. One list of numbers a window, since a list of tuples costs more than the sums.
ITEM_WIDTH = 5
Items = list[int]

# Bounds of what rows.c writes. A row in MessagePack: its SKU, that one's head, 7 figures of 9 bytes. In JSON: twice its
# SKU, 7 figures of 21 and some signs. The names of a currency and a date: below 64.
_LONGEST_ROW, _LONGEST_ROW_AS_JSON, _LONGEST_NAMES = 80, 180, 64
_MALFORMED, _OVERFLOW = -1, -2
# Nobody outside may know where a SKU comes to stand in a table.
_SEED = secrets.randbits(64)


def add_up(
    rows: Sequence[bytes], items: Sequence[Items], reading: Reading, rows_per_part: int
) -> list[tuple[bytes, list[bytes]]]:
    """What becomes of each window: its rows, and JSON of those that changed, in parts of at most so many.

    `rows` are the windows' rows as MessagePack (empty for a new one), `items` their receipts in the order of the log.
    Raises OverflowError where a total goes beyond 64 bits, ValueError where rows are not as they are written here.
    """
    windows = len(rows)
    if not windows:
        return []
    old_ends = array("q", accumulate(map(len, rows)))
    flat = array("q", chain.from_iterable(items))
    item_ends = array("q", accumulate(len(one) // ITEM_WIDTH for one in items))
    receipts, lines = item_ends[-1], reading.many_lines
    skus = len(reading.text) + len(reading.more)
    names = (windows + receipts) * _LONGEST_NAMES
    needed = kernel().scratch_bytes(windows, address(old_ends), address(flat), address(item_ends))
    row_ends, part_counts = array("q", bytes(8 * windows)), array("q", bytes(8 * windows))
    part_ends = array("q", bytes(8 * (windows + receipts + lines // rows_per_part + 1)))
    with (
        buffers.lent("scratch", needed // 8 + 1) as scratch,
        buffers.lent("rows", (old_ends[-1] + skus + lines * _LONGEST_ROW + names) // 8 + 1) as made,
        buffers.lent("json", (2 * skus + lines * _LONGEST_ROW_AS_JSON + names) // 8 + 1) as json,
    ):
        fault = kernel().sum_rows(
            windows,
            b"".join(rows),
            address(old_ends),
            address(flat),
            address(item_ends),
            address(reading.lines),
            reading.text,
            len(reading.text),
            bytes(reading.more),
            _SEED,
            rows_per_part,
            address(scratch),
            address(made),
            address(row_ends),
            address(json),
            address(part_ends),
            address(part_counts),
        )
        if fault == _OVERFLOW:
            raise OverflowError("a total goes beyond 64 bits")
        if fault == _MALFORMED:
            raise ValueError("the rows of a window are not as they were written")
        new_rows, parts = _cut(made, row_ends), _cut(json, part_ends[: part_counts[-1]])
    if len(parts) == windows:  # nearly always
        return [(row, [part]) for row, part in zip(new_rows, parts, strict=True)]
    begins = [0, *part_counts[:-1]]
    return [(row, parts[begin:end]) for row, begin, end in zip(new_rows, begins, part_counts, strict=True)]


def _cut(numbers: array[int], ends: array[int]) -> list[bytes]:
    text = bytes(memoryview(numbers).cast("B")[: ends[-1]])
    begins = [0, *ends[:-1]]
    return [text[begin:end] for begin, end in zip(begins, ends, strict=True)]
