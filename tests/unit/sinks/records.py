"""Records as a sink's consumer gives them, and rows of a batch as plain dicts."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Record:
    """A record; `timestamp` in milliseconds."""

    topic: str = "t"
    partition: int = 3
    offset: int = 17
    timestamp: int = 1_795_453_509_000
    key: bytes | None = b"12"
    value: bytes | None = None
    headers: tuple[tuple[str, bytes], ...] = ()


def rows_of(batch, table):
    """Rows of one table of a batch."""
    return [row for rows in batch.rows if rows.table == table for row in rows.data.to_pylist()]
