"""Snapshots of restock's state in `restock.state`: which records there are, and which of them belong together.

Pure. A *section* is a store, a piece of its moves, or what is common to all; its bytes stand in parts, below the size
of a message, in one of two slots. An *index*, a section itself, names the slot of each, of one offset of the feed. The
*head* names the index. Each is known by the offset at which it was taken and a digest: of whatever a crash, or another
writer, leaves is used what belongs together, or nothing.

Keys bear their writer, which is drawn at random at each assignment: a frozen worker that wakes up spoils nothing of its
successor's. Once a head of a writer's own is acknowledged, it takes away what it has found of its predecessors.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping

import msgspec

from kernel.records import LogRecord
from streams.framed import Message
from streams.restock.saved import LAYOUT
from streams.windows import Windows

# Of a value at most: some fit in a batch of a producer, and many in what a consumer asks for at once.
PART_BYTES = 256 * 1024
COMMON, INDEX, STORE = "common", "index", "store "
_SEPARATOR = b"\0"


class Place(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """Where a section stands: `at` is the feed's offset at which it was taken, in so many parts, with a digest."""

    slot: int
    at: int
    parts: int
    digest: bytes


class Head(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """The state after the feed's offset `applied`, which holds a record of this fingerprint.

    `movements` is the last offset of `stock.movements` that was told by then; the windows' widths decide with it.
    """

    layout: str
    owner: str
    applied: int
    fingerprint: int
    movements: int
    width: int
    grace: int
    index: Place


class Part(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """A piece of a section."""

    at: int
    data: bytes


class Damaged(Exception):
    """What a head names is not there, or is no longer what it names."""


_encode = msgspec.msgpack.Encoder().encode
_head = msgspec.msgpack.Decoder(Head)
_part = msgspec.msgpack.Decoder(Part)
_index = msgspec.msgpack.Decoder(dict[str, Place])


def head_key(owner: str) -> bytes:
    """Key of a writer's head."""
    return owner.encode() + _SEPARATOR


def part_key(owner: str, section: str, slot: int, part: int) -> bytes:
    """Key of a piece of a section."""
    return _SEPARATOR.join((owner.encode(), section.encode(), b"%d" % slot, b"%d" % part))


def moves_section(store_id: str, piece: int) -> str:
    """The name of a piece of a store's moves."""
    return f"moves {piece} {store_id}"


def place_of(data: bytes, at: int, before: Place | None) -> Place:
    """Where to put a section: into the slot that the acknowledged head, which has it in `before`, does not name."""
    slot = 0 if before is None else 1 - before.slot
    return Place(slot, at, max(1, -(-len(data) // PART_BYTES)), digest_of(data))


def parts(owner: str, section: str, place: Place, data: bytes) -> Iterator[Message]:
    """The messages of a section."""
    for part in range(place.parts):
        piece = data[part * PART_BYTES : (part + 1) * PART_BYTES]
        yield part_key(owner, section, place.slot, part), _encode(Part(place.at, piece)), []


def index_of(places: Mapping[str, Place]) -> bytes:
    """The bytes of the index."""
    return _encode(places)


def head_message(head: Head) -> Message:
    """The record that makes all that it names the snapshot."""
    return head_key(head.owner), _encode(head), []


class Snapshots:
    """What stands in a partition of `restock.state`, as its records are read in their order."""

    def __init__(self) -> None:
        self._latest: dict[bytes, bytes] = {}
        self._heads: list[Head] = []

    def take(self, records: Iterable[LogRecord]) -> None:
        """Take up records; what is none of ours is passed over."""
        for record in records:
            if record.key is None:
                continue
            if record.value is None:
                self._latest.pop(record.key, None)
                continue
            self._latest[record.key] = record.value
            if record.key.endswith(_SEPARATOR):
                try:
                    self._heads.append(_head.decode(record.value))
                except msgspec.MsgspecError:  # of another version
                    continue

    def keys(self) -> list[bytes]:
        """Every key that has a value."""
        return list(self._latest)

    def heads(self, windows: Windows) -> list[Head]:
        """The heads that may be gone on from by who decides with these windows, the newest state first."""
        fit = [
            head for head in self._heads
            if head.layout == LAYOUT and (head.width, head.grace) == (windows.width, windows.grace)
        ]  # fmt: skip
        return sorted(fit, key=lambda head: head.applied, reverse=True)

    def sections(self, head: Head) -> dict[str, bytes]:
        """The sections of a head; raises Damaged unless every one is there as it was written."""
        return {name: self._section(head.owner, name, place) for name, place in self.index(head).items()}

    def index(self, head: Head) -> dict[str, Place]:
        """Where the sections of a head stand; raises Damaged."""
        index = self._section(head.owner, INDEX, head.index)
        try:
            return _index.decode(index)
        except msgspec.MsgspecError as fault:
            raise Damaged(f"its index: {fault}") from None

    def _section(self, owner: str, section: str, place: Place) -> bytes:
        pieces = []
        for number in range(place.parts):
            value = self._latest.get(part_key(owner, section, place.slot, number))
            if value is None:
                raise Damaged(f"{section}: part {number} is missing")
            try:
                part = _part.decode(value)
            except msgspec.MsgspecError as fault:
                raise Damaged(f"{section}: part {number}: {fault}") from None
            if part.at != place.at:
                raise Damaged(f"{section}: part {number} is of the feed's offset {part.at}, not of {place.at}")
            pieces.append(part.data)
        data = b"".join(pieces)
        if digest_of(data) != place.digest:
            raise Damaged(f"{section}: is not what was written")
        return data


def digest_of(data: bytes) -> bytes:
    """By which a section is known."""
    return hashlib.blake2b(data, digest_size=16).digest()
