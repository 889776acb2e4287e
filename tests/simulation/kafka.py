"""Kafka in memory: topics of one partition each, a changelog that compacts, and commits."""

from __future__ import annotations

from bisect import bisect_left
from typing import NamedTuple

from tests.simulation.receipts import PUBLISHED


class Record(NamedTuple):
    """A record as aiokafka delivers it."""

    topic: str
    partition: int
    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes], ...]


class Log:
    """One partition of a topic: `records` in offset order, `end` the offset of the next one."""

    def __init__(self, topic: str, partition: int) -> None:
        self.topic = topic
        self.partition = partition
        self.records: list[Record] = []
        self.end = 0

    def append(self, key: bytes | None, value: bytes | None, headers: list | tuple = (), gap: int = 0) -> int:
        """Append a record; `gap` offsets before it stay empty, as marks of transactions leave them."""
        offset = self.end + gap
        self.records.append(Record(self.topic, self.partition, offset, PUBLISHED, key, value, tuple(headers)))
        self.end = offset + 1
        return offset

    def read(self, offset: int, most: int | None = None) -> list[Record]:
        """At most so many records from an offset on."""
        whole = len(self.records) == self.end  # then a record's place is its offset
        first = offset if whole else bisect_left(self.records, offset, key=lambda one: one.offset)
        return self.records[first : None if most is None else first + most]

    def compact(self, before: int, *, tombstones: bool) -> None:
        """Keep the last record of each key of those before an offset; `tombstones`: not even where it is one."""
        first = bisect_left(self.records, before, key=lambda one: one.offset)
        head = self.records[:first]
        last = {record.key: record.offset for record in head}
        self.records[:first] = [
            record for record in head if last[record.key] == record.offset and not (tombstones and record.value is None)
        ]

    def cut(self, many: int) -> None:
        """Lose the last records, as an unclean election does."""
        if many:
            del self.records[-many:]
            self.end = self.records[-1].offset + 1 if self.records else 0

    def clear(self) -> None:
        """Lose everything: the topic is created anew."""
        self.records, self.end = [], 0
