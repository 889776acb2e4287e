"""A batch whose records the kernel has written, as aiokafka's producer takes batches.

https://kafka.apache.org/documentation/#recordbatch
"""

from __future__ import annotations

import struct
import time

from aiokafka.codec import zstd_encode
from aiokafka.record.util import calc_crc32c

from kernel.sums import Batch

COMPRESSION = "zstd"
# Base offset, length, leader's epoch, magic, checksum; then attributes, last offset, first and last time, producer's
# id, epoch and first sequence (none of these: the producer is not idempotent), how many records.
_BEFORE_CHECKED, _CHECKED = struct.Struct(">qiibI"), struct.Struct(">hiqqqhii")
_MAGIC, _ZSTD = 2, 4
# Takes a quarter less time than the usual 3, for a tenth more bytes in the changelog and a twentieth in sales.windows.
_LEVEL = 1
_LENGTH_FROM = 12  # a batch's length counts what follows it


class FramedBatch:
    """Stands for an aiokafka.producer.message_accumulator.BatchBuilder that is full."""

    def __init__(self, batch: Batch) -> None:
        self._many, self._records = batch
        self._built: bytes | None = None

    def size(self) -> int:
        """Bytes, before they are compressed or after it."""
        return len(self._records if self._built is None else self._built)

    def record_count(self) -> int:
        """How many records there are."""
        return self._many

    def append(self, **_: object) -> None:
        """Refuse another record, as a full batch does."""

    def close(self) -> None:
        """Nothing: it is."""

    def closed(self) -> bool:
        """Whether no more records are taken."""
        return True

    def _build(self) -> bytes:
        """The batch as it goes to Kafka; made once."""
        if self._built is None:
            now = int(time.time() * 1000)
            checked = _CHECKED.pack(_ZSTD, self._many - 1, now, now, -1, -1, -1, self._many) + zstd_encode(
                self._records, level=_LEVEL
            )
            length = _BEFORE_CHECKED.size + len(checked) - _LENGTH_FROM
            self._built = _BEFORE_CHECKED.pack(0, length, -1, _MAGIC, calc_crc32c(checked)) + checked
        return self._built
