"""Publish receipts (or movements) by store, as fast as Kafka takes them or at a multiple of real time."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable
from contextlib import aclosing
from typing import NamedTuple

from schemas.errors import TillstreamError
from schemas.topics import RECEIPTS
from tillstream.outgoing import Outgoing
from tillstream.pacing import Pace
from tillstream.publish import Publisher, Record, partition_of
from tillstream.read_ahead import read_ahead
from tillstream.settings import Settings

# About 3 MB of receipts: enough for large batches in each of a few partitions.
_AHEAD = 4000
_BATCHES_WAITING = 2

_Batch = tuple[list[Record], int]


class Published(NamedTuple):
    """What Kafka has acknowledged, and in how many seconds."""

    receipts: int
    lines: int
    seconds: float


async def publish(
    settings: Settings,
    receipts: Iterable[Outgoing],
    *,
    topic: str = RECEIPTS,
    speed: float | None = None,
    on_progress: Callable[[int], None] = lambda _: None,
    on_wait: Callable[[str], None] = lambda _: None,
) -> Published:
    """Publish receipts to `topic` in order, `speed` times real time by `occurred_at`, or as fast as it goes (None).

    `on_progress` is told how many receipts more have been acknowledged, `on_wait` a sentence when Kafka is away;
    an outage is waited out. The iterable is read in a thread. Raises Unavailable when Kafka does not answer at the
    start, Stop where the topic is missing or refuses, and what the iterable raises.
    """
    begun = time.monotonic()
    async with Publisher(settings, settings.topic_prefix + topic, on_wait) as publisher:
        lanes = _Lanes(publisher, on_progress)
        try:
            async with asyncio.TaskGroup() as tasks:
                for partition in range(publisher.partitions):
                    tasks.create_task(lanes.deliver(partition))
                tasks.create_task(_feed(lanes, receipts, speed))
        except* TillstreamError as faults:
            first = faults.exceptions[0]
        else:
            return Published(lanes.receipts, lanes.lines, time.monotonic() - begun)
    raise first


async def _feed(lanes: _Lanes, receipts: Iterable[Outgoing], speed: float | None) -> None:
    pace: Pace | None = None
    async with aclosing(read_ahead(receipts, _AHEAD)) as ahead:
        async for found in ahead:
            due = 0
            if speed is not None:
                pace = pace or Pace(found[0].occurred_at, time.monotonic(), speed)
                for index, receipt in enumerate(found):
                    pause = pace.wait(receipt.occurred_at, time.monotonic())
                    if pause > 0:
                        await lanes.put(found[due:index])
                        due = index
                        await asyncio.sleep(pause)
            await lanes.put(found[due:])
    await lanes.end()


class _Lanes:
    """A queue of batches for each partition, and what has been acknowledged of all of them."""

    def __init__(self, publisher: Publisher, on_progress: Callable[[int], None]) -> None:
        self.receipts = 0
        self.lines = 0
        self._publisher = publisher
        self._on_progress = on_progress
        self._queues: list[asyncio.Queue[_Batch | None]] = [
            asyncio.Queue(_BATCHES_WAITING) for _ in range(publisher.partitions)
        ]
        self._known: dict[str, tuple[bytes, int]] = {}

    async def put(self, receipts: list[Outgoing]) -> None:
        """Sort receipts into their partitions, in order; waits while a partition is far behind."""
        batches: dict[int, list[Record]] = {}
        lines: dict[int, int] = {}
        for store_id, _, value, count in receipts:
            known = self._known.get(store_id)
            if known is None:
                key = store_id.encode()
                known = self._known[store_id] = key, partition_of(key, len(self._queues))
            key, partition = known
            batches.setdefault(partition, []).append((key, value))
            lines[partition] = lines.get(partition, 0) + count
        for partition, records in batches.items():
            await self._queues[partition].put((records, lines[partition]))

    async def end(self) -> None:
        """Nothing more will come."""
        for queue in self._queues:
            await queue.put(None)

    async def deliver(self, partition: int) -> None:
        """Send one partition's batches, each after the one before it was acknowledged."""
        while (batch := await self._queues[partition].get()) is not None:
            records, lines = batch
            await self._publisher.send(partition, records)
            self.receipts += len(records)
            self.lines += lines
            self._on_progress(len(records))
