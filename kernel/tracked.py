"""Which lines of a chunk are of SKUs that their store tracks. See tracked.c."""

from __future__ import annotations

import ctypes
import secrets
from array import array
from collections.abc import Sequence

from kernel.buffers import address, buffers
from kernel.library import TRACKED, kernel
from kernel.reading import LINE_WIDTH, Reading
from kernel.sums import joined

FOUND_WIDTH = 3
# Nobody outside may know where a SKU comes to stand in a table.
SEED = secrets.randbits(64)


class TrackedSkus:
    """What one store tracks, to be looked up by the kernel; `longest` is the length of the longest SKU in bytes."""

    __slots__ = ("_ends", "_index", "_text", "longest", "skus", "table")

    def __init__(self, skus: Sequence[str]) -> None:
        self.skus = list(skus)
        encoded = [sku.encode() for sku in self.skus]
        self._text, self._ends = joined(encoded)
        self.longest = max(map(len, encoded), default=0)
        places = 1 << (2 * len(self.skus) + 1).bit_length()
        self._index = array("i", bytes(4 * places))
        text = ctypes.cast(ctypes.c_char_p(self._text), ctypes.c_void_p).value
        self.table = TRACKED(text, address(self._ends), address(self._index), places - 1)
        kernel().index_skus(len(self.skus), text, address(self._ends), SEED, places - 1, address(self._index))


def find_tracked(
    reading: Reading, starts: array[int], numbers: array[int], tracked: Sequence[TrackedSkus | None]
) -> array[int]:
    """Lines of receipts that were folded, three numbers each: receipt, line, and the SKU's place in its store's `skus`.

    `starts` are the windows in which receipts were folded, kernel.seen.NOWHERE for the others, `numbers` their stores';
    `tracked` is by the store's number, None where it tracks nothing.
    """
    tables = array("q", [0 if one is None else ctypes.addressof(one.table) for one in tracked])
    more = bytes(reading.more)
    with buffers.lent("tracked", FOUND_WIDTH * (len(reading.lines) // LINE_WIDTH) + 1) as room:
        many = kernel().find_tracked(
            reading.many,
            address(reading.columns),
            address(starts),
            address(numbers),
            address(tables),
            address(reading.lines),
            reading.records.text,
            len(reading.records.text),
            more,
            SEED,
            address(room),
        )
        return array("q", room[: FOUND_WIDTH * many])
