"""Records of a log in columns: as they came in their batches, without an object for each. See records.c."""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Sequence
from typing import NamedTuple, Protocol, overload

from kernel.buffers import address
from kernel.library import kernel

# offset, timestamp, where key and value begin and how long they are, -1 for none
RECORD_WIDTH = 6
OFFSET, TIMESTAMP = 0, 1
# The time of no record.
NO_STAMP = -(1 << 63)


class LogRecord(Protocol):
    """A record as any client of Kafka's delivers it. `timestamp` is Kafka's, in milliseconds."""

    @property
    def offset(self) -> int:
        """Where in its partition it stands."""

    @property
    def timestamp(self) -> int:
        """In milliseconds since the Unix epoch."""

    @property
    def key(self) -> bytes | None:
        """Bytes, or None."""

    @property
    def value(self) -> bytes | None:
        """Bytes, or None for a tombstone."""


class Record(NamedTuple):
    """One of them."""

    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None


class Records(Sequence[Record]):
    """Records in the order of their offsets: `text` has their keys and values, `places` where."""

    __slots__ = ("places", "text")

    def __init__(self, text: bytes, places: array[int]) -> None:
        self.text = text
        self.places = places

    def __len__(self) -> int:
        """How many there are."""
        return len(self.places) // RECORD_WIDTH

    @overload
    def __getitem__(self, at: int) -> Record: ...

    @overload
    def __getitem__(self, at: slice) -> Records: ...

    def __getitem__(self, at: int | slice) -> Record | Records:
        """One record, or those of a slice without a step."""
        if isinstance(at, slice):
            begin, end, step = at.indices(len(self))
            assert step == 1, "records stand in their order"
            return Records(self.text, self.places[begin * RECORD_WIDTH : end * RECORD_WIDTH])
        begin = range(len(self))[at] * RECORD_WIDTH
        return self._record(*self.places[begin : begin + RECORD_WIDTH])

    def __iter__(self) -> Iterator[Record]:
        """Each as an object of its own."""
        numbers = iter(self.places)
        return map(self._record, *[numbers] * RECORD_WIDTH)

    def _record(self, offset: int, timestamp: int, key_at: int, key: int, value_at: int, value: int) -> Record:
        text = self.text
        return Record(
            offset,
            timestamp,
            None if key < 0 else text[key_at : key_at + key],
            None if value < 0 else text[value_at : value_at + value],
        )

    def offsets(self) -> list[int]:
        """All offsets."""
        return self.places[OFFSET::RECORD_WIDTH].tolist()

    def timestamps(self) -> list[int]:
        """All timestamps."""
        return self.places[TIMESTAMP::RECORD_WIDTH].tolist()

    @classmethod
    def of(cls, records: Sequence[LogRecord]) -> Records:
        """The same records in columns."""
        if isinstance(records, cls):
            return records
        places, parts, at = array("q"), [], 0
        for record in records:
            places.extend((record.offset, record.timestamp))
            for part in (record.key, record.value):
                places.extend((at, -1 if part is None else len(part)))
                parts.append(part or b"")
                at += len(parts[-1])
        return cls(b"".join(parts), places)

    @classmethod
    def joined(cls, parts: Sequence[Records]) -> Records:
        """One after the other."""
        if len(parts) == 1:
            return parts[0]
        places, before = array("q"), 0
        for part in parts:
            moved = part.places[:]
            kernel().move_records(len(part), address(moved), before)
            places += moved
            before += len(part.text)
        return cls(b"".join([part.text for part in parts]), places)


def read_batch(
    text: bytes, many: int, base_offset: int, from_offset: int, first_time: int, stamp: int | None
) -> Records:
    """The records of a batch of Kafka's format 2, `text` being what follows its header, not compressed any more.

    Those before `from_offset` are left out. `stamp` is the time of all where the broker gave it, else each has its own,
    counted from `first_time`. Raises ValueError where the batch is not as the format says.
    """
    if not 0 <= many <= len(text):
        raise ValueError("a batch that has less bytes than records")
    places = array("q", bytes(8 * RECORD_WIDTH * (many + 1)))  # one more, for what is read and left out
    found = kernel().read_records(
        many,
        text,
        len(text),
        base_offset,
        from_offset,
        first_time,
        NO_STAMP if stamp is None else stamp,
        address(places),
    )
    if found < 0:
        raise ValueError("a batch that is not as Kafka's format says")
    del places[found * RECORD_WIDTH :]
    return Records(text, places)
