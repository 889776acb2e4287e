"""Adds receipts that were read to store-windows, many windows at once. See rows.c."""

from __future__ import annotations

import ctypes
import secrets
from array import array
from collections.abc import Sequence
from itertools import accumulate, chain
from typing import NamedTuple

from kernel.buffers import address, buffers
from kernel.library import SUMS, kernel
from kernel.reading import LINE_WIDTH, Reading

# A receipt of a window: its place in the chunk, and 1, -1 for a reversal, 0 where the window holds it already. One list
# of numbers a window, since a list of tuples costs more than the sums.
ITEM_WIDTH = 2
Items = list[int]
# How many records there are, and those as they stand in a batch of Kafka's.
Batch = tuple[int, bytes]

# Bounds of what rows.c writes. A row in MessagePack: its SKU, that one's head, 7 figures of 9 bytes; a receipt's hash
# and offset; what stands before both. In JSON: twice its SKU, 7 figures of 21 and some signs; a message but its store.
# The names of a currency and a date: below 64. What a record has beside key and value.
_ROW, _RECEIPT, _HEAD, _ROW_AS_JSON, _MESSAGE, _NAMES, _RECORD = 80, 18, 32, 180, 128, 64, 32
_MALFORMED, _OVERFLOW = -1, -2
# Nobody outside may know where a SKU comes to stand in a table.
_SEED = secrets.randbits(64)


class StoreNames(NamedTuple):
    """Of each store of a chunk: the key of its messages, and what they begin with (schemas.window.head_of)."""

    ids: Sequence[bytes]
    heads: Sequence[bytes]


class Windows(NamedTuple):
    """Of each window: its value as the changelog has it (empty for a new one), its key there, its start, its store."""

    values: Sequence[bytes]
    keys: Sequence[bytes]
    starts: Sequence[int]
    stores: Sequence[int]


class Added(NamedTuple):
    """What becomes of windows: each one's new value, and its receipts; the changelog's records; rows that changed."""

    values: list[bytes]
    receipts: list[int]
    records: list[Batch]
    messages: list[Batch]


def add_up(
    windows: Windows,
    items: Sequence[Items],
    reading: Reading,
    stores: StoreNames,
    most_rows: int,
    most_bytes: int,
) -> Added:
    """Add each window's items to it, which are in the order of the log.

    A message has at most `most_rows` rows, a batch at most `most_bytes` where it has more than one record.
    Raises OverflowError where a total goes beyond 64 bits, ValueError where a value is not as it is written here.
    """
    many = len(windows.values)
    if not many:
        return Added([], [], [], [])
    flat = array("q", chain.from_iterable(items))
    item_ends = array("q", accumulate(len(one) // ITEM_WIDTH for one in items))
    values, value_ends = joined(windows.values)
    keys, key_ends = joined(windows.keys)
    ids, id_ends = joined(stores.ids)
    heads, head_ends = joined(stores.heads)
    starts, numbers = array("q", windows.starts), array("q", windows.stores)
    text, more = reading.records.text, bytes(reading.more)
    receipts, lines = item_ends[-1], len(reading.lines) // LINE_WIDTH
    skus, names = len(text) + len(reading.more), (many + receipts) * _NAMES
    most_messages = many + receipts + lines // most_rows + 1
    a_message = _MESSAGE + _RECORD + max(map(len, stores.ids)) + max(map(len, stores.heads))
    found = array("q", bytes(24 * many))
    record_batches, message_batches = (array("q", bytes(16 * count)) for count in (many, most_messages))
    sums = SUMS(
        many,
        _pointer(values),
        _pointer(keys),
        *map(address, (value_ends, key_ends, starts, numbers, flat, item_ends)),
        _pointer(ids),
        _pointer(heads),
        *map(address, (id_ends, head_ends)),
        reading.many,
        *map(address, (reading.columns, reading.records.places, reading.lines)),
        _pointer(text),
        _pointer(more),
        len(text),
        _SEED,
        most_rows,
        most_bytes,
    )
    record_bytes = (
        len(values) + len(keys) + many * (_RECORD + _HEAD) + receipts * _RECEIPT + skus + lines * _ROW + names
    )
    message_bytes = most_messages * a_message + 2 * skus + lines * _ROW_AS_JSON + names
    with (
        buffers.lent("scratch", kernel().scratch_bytes(ctypes.byref(sums)) // 8 + 1) as scratch,
        buffers.lent("records", record_bytes // 8 + 1) as records,
        buffers.lent("messages", message_bytes // 8 + 1) as messages,
    ):
        sums.scratch, sums.records, sums.messages = address(scratch), address(records), address(messages)
        sums.record_batches, sums.message_batches = address(record_batches), address(message_batches)
        sums.values_found = address(found)
        fault = kernel().sum_windows(ctypes.byref(sums))
        if fault == _OVERFLOW:
            raise OverflowError("a total goes beyond 64 bits")
        if fault == _MALFORMED:
            raise ValueError("a window is not as it was written")
        record_batches = record_batches[: 2 * sums.many_record_batches]
        # Cut from bytes, since cutting from a view costs a view each.
        made = bytes(memoryview(records).cast("B")[: record_batches[-2]])
        places = found.tolist()
        return Added(
            [made[begin:end] for begin, end in zip(places[::3], places[1::3], strict=True)],
            places[2::3],
            cut(memoryview(made), record_batches),
            cut(memoryview(messages).cast("B"), message_batches[: 2 * sums.many_message_batches]),
        )


def joined(texts: Sequence[bytes]) -> tuple[bytes, array[int]]:
    """Texts one after the other, and the end of each, as the kernel takes them."""
    return b"".join(texts), array("q", accumulate(map(len, texts)))


def _pointer(text: bytes) -> int | None:
    return ctypes.cast(ctypes.c_char_p(text), ctypes.c_void_p).value


def cut(text: memoryview, batches: array[int]) -> list[Batch]:
    """The batches that stand one after the other, of whose ends and counts one is told."""
    found, begin = [], 0
    for end, count in zip(batches[::2], batches[1::2], strict=True):
        found.append((count, bytes(text[begin:end])))
        begin = end
    return found
