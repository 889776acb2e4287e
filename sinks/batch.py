"""What a batch holds, how records become one, and when it is written: plain data and pure decisions."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import pyarrow as pa

# About 100,000 rows of sales.windows, or a second: ClickHouse wants few and large inserts.
LARGEST_BYTES = 8 * 1024 * 1024
LONGEST_WAIT = 1.0


class SinkRecord(Protocol):
    """A record as aiokafka delivers it. `timestamp` in milliseconds."""

    topic: str
    partition: int
    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes], ...]


@dataclass(frozen=True, slots=True)
class Source:
    """Where a row comes from, for the one that has to be set aside."""

    topic: str
    partition: int
    offset: int


@dataclass(slots=True)
class Rows:
    """Rows of one table; `sources[i]` is where row i comes from."""

    table: str
    data: pa.Table
    sources: list[Source]


@dataclass(slots=True)
class Batch:
    """What a writer made of records: rows by table, and the records that could not be read, with the reason."""

    rows: list[Rows] = field(default_factory=list)
    unreadable: list[tuple[Source, str]] = field(default_factory=list)
    newest: int = 0


Prepare = Callable[[Sequence[SinkRecord]], Batch]


def prepare_all(prepare: Prepare, records: Sequence[SinkRecord]) -> list[Batch]:
    """Make batches of records of one topic: one, unless a message holds what no row can.

    A number beyond its column's bits, or a date that is none, is seen only when columns are built, of all records
    together. They are halved until the message stands alone, unreadable, so that it never ends the sink.
    """
    try:
        return [prepare(records)]
    except (ValueError, TypeError, OverflowError, LookupError) as fault:
        if len(records) == 1:
            (one,) = records
            return [Batch(unreadable=[(Source(one.topic, one.partition, one.offset), f"no row can hold it: {fault}")])]
        middle = len(records) // 2
        return prepare_all(prepare, records[:middle]) + prepare_all(prepare, records[middle:])


def should_write(now: float, size: int, oldest: float | None) -> bool:
    """Whether a batch of `size` bytes, whose first record came at `oldest` (monotonic seconds), is due."""
    return oldest is not None and (size >= LARGEST_BYTES or now - oldest >= LONGEST_WAIT)
