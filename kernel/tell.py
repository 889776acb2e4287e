"""What a chunk tells restock of tracked SKUs, as the text of its messages. See tell.c."""

from __future__ import annotations

import ctypes
from array import array
from collections.abc import Sequence
from itertools import accumulate, pairwise

from kernel.buffers import address, buffers
from kernel.library import kernel
from kernel.reading import Reading
from kernel.tracked import FOUND_WIDTH, TrackedSkus

# Bounds of what tell.c writes and uses, in bytes: five numbers of 20 digits with their signs; a SKU's quotes, colon and
# brackets; a store's currency. A purchase and a SKU as the kernel keeps them.
_PURCHASE, _SKU, _STORE = 105, 8, 16
_PURCHASE_KEPT, _MET = 40, 12


def tell_purchases(
    reading: Reading, found: array[int], numbers: array[int], tracked: Sequence[TrackedSkus | None]
) -> list[bytes] | None:
    """Of each store, by number, the purchases of the lines that were `found` (see kernel.tracked), empty for none.

    JSON: currency -> SKU -> offset, moment, units, restocked and revenue of each receipt that has the SKU. None where
    that would take an escape, or two currencies of one store.
    """
    rows, many = len(found) // FOUND_WIDTH, len(tracked)
    if not rows:
        return [b""] * many
    tables = array("q", [0 if one is None else ctypes.addressof(one.table) for one in tracked])
    sizes = [0 if one is None else len(one.skus) for one in tracked]
    bases, skus = array("q", accumulate(sizes, initial=0)), sum(sizes)
    longest = max((one.longest for one in tracked if one is not None), default=0)
    room = rows * (_PURCHASE + _SKU + longest) + many * _STORE
    with (
        buffers.lent("met", skus * _MET // 8 + 1) as met,
        buffers.lent("purchases", rows * _PURCHASE_KEPT // 8) as purchases,
        buffers.lent("stores", 3 * many) as stores,
        buffers.lent("told", room // 8 + 1) as text,
    ):
        firsts, groups, ends = (address(stores) + 8 * many * at for at in range(3))
        length = kernel().tell_purchases(
            rows, address(found), reading.many, address(reading.columns), address(reading.records.places),
            address(numbers), address(reading.lines), many, address(tables), address(bases), skus, address(met),
            address(purchases), firsts, groups, address(text), ends,
        )  # fmt: skip
        if length < 0:
            return None
        told = ctypes.string_at(address(text), length)
        bounds = [0, *stores[2 * many : 3 * many].tolist()]
    return [told[begin:end] for begin, end in pairwise(bounds)]
