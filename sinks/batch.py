"""What a batch holds, and when it is written: plain data and one pure decision."""

from __future__ import annotations

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


def should_write(now: float, size: int, oldest: float | None) -> bool:
    """Whether a batch of `size` bytes, whose first record came at `oldest` (monotonic seconds), is due."""
    return oldest is not None and (size >= LARGEST_BYTES or now - oldest >= LONGEST_WAIT)
