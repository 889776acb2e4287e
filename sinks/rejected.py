"""`pos.rejected` to the table rejected, and rows that ClickHouse itself refused."""

from __future__ import annotations

import time
from collections.abc import Sequence

import pyarrow as pa

from schemas import deadletter
from schemas.deadletter import DeadLetter
from sinks import columns
from sinks.batch import Batch, Rows, SinkRecord, Source


def prepare(records: Sequence[SinkRecord]) -> Batch:
    """Make a batch of records of `pos.rejected`."""
    batch = Batch()
    letters: list[tuple[DeadLetter, SinkRecord]] = []
    for record in records:
        try:
            letters.append((deadletter.read(record.key, record.value, record.headers), record))
        except (KeyError, ValueError) as fault:
            source = Source(record.topic, record.partition, record.offset)
            batch.unreadable.append((source, f"no dead letter of tillstream: {fault!r}"))
    if letters:
        data = _table(
            [letter for letter, _ in letters],
            [record.partition for _, record in letters],
            [record.offset for _, record in letters],
            [record.timestamp for _, record in letters],
        )
        batch.rows.append(
            Rows("rejected", data, [Source(record.topic, record.partition, record.offset) for _, record in letters])
        )
    return batch


def set_aside(refused: Sequence[tuple[Source, str]]) -> pa.Table:
    """Rows of the table for what a sink could not write: its own message's place, and the reason."""
    letters = [
        DeadLetter(None, None, reason, "$", source.topic, source.partition, source.offset) for source, reason in refused
    ]
    places = [source for source, _ in refused]
    now = int(time.time() * 1000)
    return _table(letters, [at.partition for at in places], [at.offset for at in places], [now] * len(places))


def _table(letters: list[DeadLetter], partitions: list[int], offsets: list[int], times: list[int]) -> pa.Table:
    return pa.table(
        {
            "topic": pa.array([letter.topic for letter in letters], pa.string()),
            "partition": columns.unsigned([letter.partition for letter in letters], 16),
            "offset": columns.unsigned([letter.offset for letter in letters], 64),
            "reason": pa.array([letter.reason for letter in letters], pa.string()),
            "path": pa.array([letter.path for letter in letters], pa.string()),
            # Bytes of any kind: ClickHouse's String takes them as they are.
            "key": pa.array([letter.key for letter in letters], pa.binary()),
            "value": pa.array([letter.value for letter in letters], pa.binary()),
            "epoch": columns.unsigned([letter.epoch for letter in letters], 32),
            "letter_partition": columns.unsigned(partitions, 16),
            "letter_offset": columns.unsigned(offsets, 64),
            "rejected_at": columns.millis(times),
        }
    )
