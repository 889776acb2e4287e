"""A block of the journal: some batches together, compressed, with length and checksum.

Each block says of how much of its segment the disk had confirmed that it is there (`durable`), as of when the block
was written. So a block that cannot be read is told apart: where a later one vouches for it, it was damaged; where none
does, it is the end of what a crash left half written, of which nobody was told that it was kept.

    magic 4 | number 8 | durable 8 | table length 4 | data length 4 | unpacked length 4 | CRC-32 4 | table | data

Little-endian; the checksum covers all of it but itself. The table is msgpack: topic, partition, begin, end and length
of each batch; the data are the batches, one after the other, in zstd. A block without batches is a mark: it only
vouches for what stands before it.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Sequence

import cramjam
import msgspec

from tillstream.local.journal.batch import Batch

MAGIC = b"TLJB"
# Above the default the rate falls below what a broker takes in, for a few per cent less.
LEVEL = 1
_HEAD = struct.Struct("<4sQQIII")
_CRC = struct.Struct("<I")
_FIXED = _HEAD.size + _CRC.size


class Row(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """Where a batch belongs, and its length."""

    topic: str
    partition: int
    begin: int
    end: int
    length: int


class Block(msgspec.Struct, frozen=True):
    """A block that was read and is sound; `size` is its length in the segment, `unpacked` that of its batches."""

    number: int
    durable: int
    rows: list[Row]
    packed: bytes
    unpacked: int
    size: int

    def batches(self) -> list[Batch]:
        """The batches themselves."""
        if not self.rows:
            return []
        data = bytes(cramjam.zstd.decompress(self.packed))
        found, position = [], 0
        for row in self.rows:
            after = position + row.length
            found.append(Batch(row.topic, row.partition, row.begin, row.end, data[position:after]))
            position = after
        return found


_table = msgspec.msgpack.Encoder()
_rows = msgspec.msgpack.Decoder(list[Row])


def encode(number: int, durable: int, batches: Sequence[Batch]) -> bytes:
    """A block's bytes; `durable` counts bytes of its segment."""
    rows = [Row(one.topic, one.partition, one.begin, one.end, len(one.data)) for one in batches]
    table = _table.encode(rows)
    data = b"".join(one.data for one in batches)
    packed = bytes(cramjam.zstd.compress(data, LEVEL)) if batches else b""
    head = _HEAD.pack(MAGIC, number, durable, len(table), len(packed), len(data))
    crc = zlib.crc32(packed, zlib.crc32(table, zlib.crc32(head)))
    return b"".join((head, _CRC.pack(crc), table, packed))


def decode(segment: bytes, position: int) -> Block | None:
    """The block that begins there, or None where no whole and sound one does."""
    if position + _FIXED > len(segment):
        return None
    magic, number, durable, table_length, packed_length, unpacked = _HEAD.unpack_from(segment, position)
    table_at = position + _FIXED
    packed_at = table_at + table_length
    after = packed_at + packed_length
    if magic != MAGIC or after > len(segment):
        return None
    (crc,) = _CRC.unpack_from(segment, position + _HEAD.size)
    view = memoryview(segment)
    head = zlib.crc32(view[position : position + _HEAD.size])
    if zlib.crc32(view[table_at:after], head) != crc:
        return None
    rows = _rows.decode(view[table_at:packed_at])
    return Block(number, durable, rows, segment[packed_at:after], unpacked, after - position)


def vouched(segment: bytes, position: int) -> bool:
    """Whether a sound block after `position` says that what stands there was on the disk."""
    at = segment.find(MAGIC, position + 1)
    while at >= 0:
        block = decode(segment, at)
        if block is not None and block.durable > position:
            return True
        at = segment.find(MAGIC, at + 1)
    return False
