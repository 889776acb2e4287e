"""A producer in memory, for tests of the outlet: aiokafka's batch interface, and faults where a test wants them.

tests/integration/test_outlet.py holds it against aiokafka's own producer on the embedded broker.
"""

from __future__ import annotations

import asyncio
import threading
from collections import defaultdict
from dataclasses import dataclass, field

from aiokafka.record.memory_records import MemoryRecords


@dataclass
class MemoryBatch:
    room: int
    records: list = field(default_factory=list)
    built_in: int = 0

    def size(self):
        return sum(len(key or b"") + len(value or b"") for key, value, _ in self.records)

    def _build(self):
        """Compressed; notes the thread it was done in."""
        self.built_in = threading.get_ident()

    _relative_offset = 0

    @property
    def _builder(self):
        """What aiokafka's batch leaves to its C code; here all of it."""
        return self

    def close(self):
        """Nothing: nobody else adds to it."""

    def append(self, offset, timestamp, key, value, headers):
        """None where it is full; the first always fits, as with aiokafka."""
        size = len(key or b"") + len(value or b"") + 100
        if self.records and size > self.room:
            return None
        self.room -= size
        self.records.append((key, value, list(headers)))
        return size


def records_of(batch):
    """What aiokafka, and so any client of Kafka's, reads in a batch that was written whole."""
    text = batch._build()
    assert len(text) == batch.size()
    found = MemoryRecords(text).next_batch()
    assert found.validate_crc()
    records = list(found)
    assert [record.offset for record in records] == list(range(batch.record_count()))
    assert found.next_offset == batch.record_count()
    return [(record.key, record.value, list(record.headers)) for record in records]


@dataclass
class MemoryProducer:
    """Keeps what lands in `log`. `faults` are taken one a batch: None, or (where, error).

    `built_in` says of each batch in which thread it was compressed, of one that was written whole whether it was yet.
    `where` is "sending" (send_batch raises), "lost" (nothing lands, the acknowledgement fails) or "unheard" (it
    lands, and the acknowledgement fails all the same). `added` partitions are heard of with the next metadata.
    """

    partitions: int = 4
    added: int = 0
    batch_size: int = 2 * 1024 * 1024
    faults: list = field(default_factory=list)
    log: dict = field(default_factory=lambda: defaultdict(list))
    batches: int = 0
    built_in: list = field(default_factory=list)

    @property
    def client(self):
        return self

    async def force_metadata_update(self):
        self.partitions, self.added = self.partitions + self.added, 0

    def create_batch(self):
        return MemoryBatch(self.batch_size)

    async def send_batch(self, batch, topic, *, partition):
        if partition >= self.partitions:
            raise AssertionError("Unrecognized partition")
        self.batches += 1
        self.built_in.append(batch.built_in if isinstance(batch, MemoryBatch) else int(batch._built is not None))
        where, error = (self.faults.pop(0) if self.faults else None) or ("", None)
        if where == "sending":
            raise error
        future = asyncio.get_running_loop().create_future()
        if where != "lost":
            self.log[topic, partition].extend(batch.records if isinstance(batch, MemoryBatch) else records_of(batch))
        if error is None:
            future.set_result(None)
        else:
            future.set_exception(error)
        return future
