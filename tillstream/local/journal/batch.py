"""Record batches as Kafka's protocol has them (format 2): where one ends, what it holds, what is not journaled of it.

A batch is kept as the producer sent it, compression and all, with two exceptions. The producer's own number and
sequence are taken out, since a fresh broker knows no producers and refuses theirs. And a receipt that was refused and
holds a payment card number leaves a stub, from which the same refusal follows (`schemas.stub`).
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, NamedTuple

from aiokafka.record.default_records import DefaultRecordBatch, DefaultRecordBatchBuilder
from aiokafka.record.util import calc_crc32c

from schemas.errors import Stop

Key = bytes | None
Value = bytes | None
# Given key and value of a record: what is journaled in their place, or None to keep them.
Stub = Callable[[Key, Value], tuple[Key, Value] | None]

_FORMAT = 2
# base offset, length, leader's epoch, format, CRC, attributes, last offset delta, first and last timestamp,
# producer id, producer epoch, base sequence, count of records
_HEAD = struct.Struct(">qiibIhiqqqhii")
_BEFORE_LENGTH_COUNTS = 12
_CRC_FROM = 21
_PRODUCER = struct.Struct(">qhi")
_PRODUCER_AT = 43
_NOBODY = (-1, -1, -1)
_NO_LIMIT = 1 << 30
_COMPRESSION = 0x07
_TRANSACTIONAL = 0x10
_CONTROL = 0x20


class Batch(NamedTuple):
    """Records `begin` up to, not including, `end` of a partition, as one batch of Kafka's."""

    topic: str
    partition: int
    begin: int
    end: int
    data: bytes


def split(topic: str, partition: int, fetched: bytes) -> Iterator[Batch]:
    """The whole batches of a fetch; a last one that was cut is left out. Raises Stop on what is no such batch."""
    position = 0
    while position + _HEAD.size <= len(fetched):
        base, length, _, form, _, attributes, last, *_ = _HEAD.unpack_from(fetched, position)
        if form != _FORMAT or attributes & _CONTROL:
            raise Stop(
                f"{topic}, partition {partition}, offset {base}, holds what the journal cannot keep: "
                + ("a mark of a transaction." if form == _FORMAT else f"a message of Kafka's format {form}."),
                "Publish with a client of Kafka 0.11 or newer, and without transactions.",
            )
        after = position + _BEFORE_LENGTH_COUNTS + length
        if after > len(fetched):
            return
        yield Batch(topic, partition, base, base + last + 1, fetched[position:after])
        position = after


def anonymous(batch: Batch) -> Batch:
    """The batch without its producer's number, sequence and transaction."""
    attributes = int.from_bytes(batch.data[_CRC_FROM : _CRC_FROM + 2], "big")
    if _PRODUCER.unpack_from(batch.data, _PRODUCER_AT) == _NOBODY and not attributes & _TRANSACTIONAL:
        return batch
    data = bytearray(batch.data)
    data[_CRC_FROM : _CRC_FROM + 2] = (attributes & ~_TRANSACTIONAL).to_bytes(2, "big")
    _PRODUCER.pack_into(data, _PRODUCER_AT, *_NOBODY)
    data[_CRC_FROM - 4 : _CRC_FROM] = calc_crc32c(bytes(data[_CRC_FROM:])).to_bytes(4, "big")
    return batch._replace(data=bytes(data))


def stubbed(batch: Batch, stub: Stub) -> Batch:
    """The batch with a stub wherever `stub` gives one; the very same batch where it gives none."""
    records = list(DefaultRecordBatch(batch.data))
    stubs = [stub(record.key, record.value) for record in records]
    if not any(stubs):
        return batch
    return _rebuilt(batch, batch.end, [
        (record, *(kept or (record.key, record.value))) for record, kept in zip(records, stubs, strict=True)
    ])  # fmt: skip


def merged(batches: Sequence[Batch]) -> Batch:
    """Batches of one partition that follow each other, as one."""
    first, last = batches[0], batches[-1]
    if first is last:
        return first
    records = [(record, record.key, record.value) for one in batches for record in DefaultRecordBatch(one.data)]
    return _rebuilt(first, last.end, records)


def _rebuilt(first: Batch, end: int, records: Iterable[tuple[Any, Key, Value]]) -> Batch:
    """A batch like `first`, of other records with these keys and values."""
    compression = int.from_bytes(first.data[_CRC_FROM : _CRC_FROM + 2], "big") & _COMPRESSION
    builder = DefaultRecordBatchBuilder(_FORMAT, compression, 0, *_NOBODY, _NO_LIMIT)
    for record, key, value in records:
        builder.append(record.offset - first.begin, record.timestamp, key, value, record.headers)
    data = bytearray(builder.build())
    data[:8] = first.begin.to_bytes(8, "big")  # not covered by the checksum
    return first._replace(end=end, data=bytes(data))
