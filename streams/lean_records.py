"""Records in columns, as they stand in what was fetched, without the objects that aiokafka makes of each.

A record's object and the one it is wrapped in take longer than all else that is done to read a receipt. So the bytes of
a fetch are kept, and its batches are taken apart by the kernel (kernel.records), in the consumer's thread and without
the interpreter. Which batches are to be read, whether one is whole, and formats before 2 stay aiokafka's to tell.
"""

from __future__ import annotations

import struct
from typing import Any

from aiokafka import codec
from aiokafka.consumer import fetcher
from aiokafka.errors import CorruptRecordException
from aiokafka.record.memory_records import MemoryRecords

from kernel.records import Records, read_batch

_LENGTH_AT, _LENGTH, _FROM_LENGTH = 8, struct.Struct(">i"), 12
_MAGIC_AT, _MAGIC = 16, 2
_COUNT_AT, _COUNT, _RECORDS_AT = 57, struct.Struct(">i"), 61
_DECODERS = {1: codec.gzip_decode, 2: codec.snappy_decode, 3: codec.lz4_decode, 4: codec.zstd_decode}
_ALL = 1 << 62


def as_they_are(key: Any) -> Any:
    """Stand as a consumer's key_deserializer: by it its fetches are told from those of other consumers."""
    return key


class KeptRecords(MemoryRecords):  # type: ignore[misc]  # its stub says that it is final, and it is not
    """What was fetched, batch by batch, and its bytes."""

    def __init__(self, fetched: bytes) -> None:
        super().__init__(fetched)
        self.fetched = fetched


class LeanRecords(fetcher.PartitionRecords):  # type: ignore[misc]  # aiokafka has no types
    """A fetch of one partition; `is_lean` where its consumer was asked to be."""

    def __init__(self, *given: Any) -> None:
        super().__init__(*given)
        self.next_fetch_offset: int
        self.is_lean = self._key_deserializer is as_they_are
        if self.is_lean:
            # A generator that holds what holds it: with all that was fetched it would wait for the collector, which a
            # worker whose windows come and go evenly has no cause to run.
            self._records_iterator = None
        self.ended = False
        self._first = self.next_fetch_offset
        self._at = 0  # in what was fetched
        self._rest, self._then = Records.joined([]), self._first

    def take(self, most: int) -> Records:
        """The next records, at most so many; `ended` says whether there are more.

        Raises CorruptRecordException. What was read before is not given then, and is fetched again.
        """
        parts: list[Records] = []
        position = self.next_fetch_offset
        while most > 0 and (self._rest or self._records.has_next()) and not self.ended:
            if not self._rest:
                self.ended = True  # should the batch be corrupt: what follows it is fetched again, too
                self._rest, self._then = self._next_batch()
                self.ended = False
            part, self._rest = self._rest[:most], self._rest[most:]
            most -= len(part)
            parts.append(part)
            position = part[-1].offset + 1 if self._rest else self._then
        self.next_fetch_offset = position
        self.ended = self.ended or not (self._rest or self._records.has_next())
        return Records.joined([part for part in parts if part])

    def _next_batch(self) -> tuple[Records, int]:
        """Its records, and the offset after it: compaction may have taken away its last record."""
        fetched, begun = self._records.fetched, self._at
        batch = self._records.next_batch()
        self._at += _FROM_LENGTH + _LENGTH.unpack_from(fetched, begun + _LENGTH_AT)[0]
        if self._check_crcs and not batch.validate_crc():
            raise CorruptRecordException(f"Invalid CRC - {self._tp}")
        if batch.is_control_batch:
            return Records.joined([]), batch.next_offset
        if fetched[begun + _MAGIC_AT] < _MAGIC:
            return Records.of([record for record in batch if record.offset >= self._first]), batch.next_offset
        return self._read(batch, memoryview(fetched)[begun : self._at]), batch.next_offset

    def _read(self, batch: Any, text: memoryview) -> Records:
        records = text[_RECORDS_AT:]
        decode = _DECODERS.get(batch.compression_type)
        try:
            return read_batch(
                bytes(records) if decode is None else decode(records),
                _COUNT.unpack_from(text, _COUNT_AT)[0],
                batch.base_offset,
                self._first,
                batch.first_timestamp,
                batch.max_timestamp if batch.timestamp_type else None,
            )
        except ValueError as fault:
            raise CorruptRecordException(f"{fault} - {self._tp}") from None


def lean(consumer: Any) -> None:
    """Let a consumer of aiokafka's that is not started yet give its records in columns."""
    fetcher.MemoryRecords, fetcher.PartitionRecords = KeptRecords, LeanRecords
    fetcher.FetchResult.getall = _getall
    consumer._key_deserializer = as_they_are  # noqa: SLF001  # as if it had been given to its constructor


_getall_of_objects = fetcher.FetchResult.getall


def _getall(result: Any, max_records: int | None = None) -> Any:
    """As aiokafka's FetchResult has it, for all consumers of the process; Records for those that are lean."""
    records = result._partition_records  # noqa: SLF001  # this stands for a method of its
    if not isinstance(records, LeanRecords) or not records.is_lean:
        return _getall_of_objects(result, max_records)
    if not result.check_assignment(result._topic_partition) or not result.has_more():  # noqa: SLF001
        return []
    found = records.take(_ALL if max_records is None else max_records)
    result._update_position()  # noqa: SLF001
    if records.ended:
        result._partition_records = None  # noqa: SLF001
    return found
