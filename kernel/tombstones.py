"""Tombstones as records of a batch of Kafka's. See tombstones.c."""

from __future__ import annotations

from array import array
from collections.abc import Sequence

from kernel.buffers import address
from kernel.library import kernel
from kernel.sums import Batch, cut, joined

# What a record has beside its key.
_RECORD = 24


def framed_tombstones(keys: Sequence[bytes], most_bytes: int) -> list[Batch]:
    """One for each key, in batches of at most so many bytes."""
    text, ends = joined(keys)
    records = array("q", bytes(len(text) + _RECORD * len(keys) + 8 & ~7))
    batches = array("q", bytes(16 * len(keys)))
    found = kernel().frame_tombstones(len(keys), text, address(ends), most_bytes, address(records), address(batches))
    return cut(memoryview(records).cast("B"), batches[: 2 * found])
