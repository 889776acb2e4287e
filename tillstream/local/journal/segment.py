"""A segment: a file of the journal, of a head that says whose it is and blocks one after the other.

magic 8 | length of the identity 4 | identity, JSON | CRC-32 4 | blocks
"""

from __future__ import annotations

import re
import struct
import zlib
from typing import NamedTuple

import msgspec

from tillstream.local.journal import block
from tillstream.local.journal.block import Block

MAGIC = b"TLJSEG1\n"
_LENGTH = struct.Struct("<I")
_LONGEST_HEAD = 64 * 1024
_NAME = re.compile(r"(\d{8})\.journal")


class Identity(msgspec.Struct, frozen=True):
    """What all segments of a journal share: its random id, and the settings by which its topics were made."""

    id: str
    prefix: str
    partitions: int


class Head(msgspec.Struct, frozen=True):
    """The head of a segment: its own number, from 1, and that of its first block."""

    identity: Identity
    number: int
    first_block: int


class Damage(Exception):
    """A segment is not as it was written. `position` is in bytes from its beginning; `file` where it is another's."""

    def __init__(self, position: int, reason: str, file: str = "") -> None:
        super().__init__(f"byte {position}: {reason}")
        self.position = position
        self.reason = reason
        self.file = file


class Scanned(NamedTuple):
    """A segment as far as it is whole: head (None: not even that), blocks with their positions, and their end."""

    head: Head | None
    blocks: list[tuple[int, Block]]
    end: int


def name_of(number: int) -> str:
    """The file name of a segment."""
    return f"{number:08d}.journal"


def number_of(name: str) -> int | None:
    """The number of the segment that a file is, or None where it is none."""
    found = _NAME.fullmatch(name)
    return int(found[1]) if found else None


def encode_head(head: Head) -> bytes:
    """The bytes with which a segment begins."""
    text = msgspec.json.encode(head)
    start = MAGIC + _LENGTH.pack(len(text)) + text
    return start + _LENGTH.pack(zlib.crc32(start))


def scan(data: bytes, *, last: bool) -> Scanned:
    """Read a segment; raises Damage.

    Only the last segment may end in the middle: of the others the disk had confirmed all before the next was begun.
    """
    found = _head(data)
    if found is None:
        if not last or block.vouched(data, 0):
            raise Damage(0, "its head cannot be read")
        return Scanned(None, [], 0)
    head, position = found
    blocks: list[tuple[int, Block]] = []
    while position < len(data):
        one = block.decode(data, position)
        if one is None:
            if not last:
                raise Damage(position, "a block is cut or fails its checksum")
            if block.vouched(data, position):
                raise Damage(position, "a block fails its checksum, and later ones show that it was whole once")
            break
        if one.number != head.first_block + len(blocks):
            raise Damage(position, f"block {one.number} stands where {head.first_block + len(blocks)} belongs")
        blocks.append((position, one))
        position += one.size
    return Scanned(head, blocks, position)


def _head(data: bytes) -> tuple[Head, int] | None:
    start = len(MAGIC) + _LENGTH.size
    if len(data) < start or not data.startswith(MAGIC):
        return None
    (length,) = _LENGTH.unpack_from(data, len(MAGIC))
    after = start + length
    if length > _LONGEST_HEAD or len(data) < after + _LENGTH.size:
        return None
    (crc,) = _LENGTH.unpack_from(data, after)
    if zlib.crc32(data[:after]) != crc:
        return None
    return msgspec.json.decode(data[start:after], type=Head), after + _LENGTH.size
