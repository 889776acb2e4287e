"""Reads `webhook.deliveries` back: a partition to its end when it becomes ours, then on, as others ask for repeats."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Mapping
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition

from schemas.delivery import ENDPOINTS_PARTITION
from sinks.clients import leave, reads_no_more

_POLL_MS = 200
Record = Any  # as aiokafka delivers it


class Memory:
    """Follows the partitions that are ours, and the one in which endpoints' states stand."""

    def __init__(
        self,
        kafka_options: Mapping[str, Any],
        topic: str,
    ) -> None:
        self._topic = topic
        self._consumer = AIOKafkaConsumer(
            fetch_max_wait_ms=100, retry_backoff_ms=20, auto_offset_reset="earliest", **kafka_options
        )
        self._ours: frozenset[int] = frozenset()
        self._next: dict[int, int] = {}
        self._reading: set[int] = set()
        self._changed = False
        self.endpoints_known = asyncio.Event()

    async def start(self) -> None:
        """Connect; raises KafkaError."""
        await self._consumer.start()

    async def stop(self) -> None:
        """Disconnect."""
        await leave(self._consumer)

    def owns(self, partition: int) -> bool:
        """Whether a partition is ours."""
        return partition in self._ours

    def has_read(self, partition: int) -> bool:
        """Whether a partition is ours, and all that it held when it became so was taken."""
        return partition in self._ours - self._reading

    def reads_no_more(self) -> bool:
        """Whether its client has silently ended."""
        return reads_no_more(self._consumer)

    def follow(self, partitions: Collection[int]) -> None:
        """These are ours from now on; those that were not are read from their beginning."""
        for partition in self._ours - set(partitions):
            if partition != ENDPOINTS_PARTITION:
                self._next.pop(partition, None)
        for partition in set(partitions) - self._ours:
            self._next.pop(partition, None)
            self._reading.add(partition)
        self._ours = frozenset(partitions)
        self._reading &= self._ours
        self._changed = True

    async def run(self, take: Callable[[Record], None], whole: Callable[[int], Awaitable[None]]) -> None:
        """Read until cancelled; raises KafkaError.

        `take` gets each record, `whole` is called once all that a partition of ours held has been taken.
        """
        self._changed = True
        while True:
            if self._changed:
                self._changed = False
                await self._begin()
            fetched = await self._consumer.getmany(timeout_ms=_POLL_MS)
            if self._changed:
                continue  # of partitions that were ours, or from before the place where one is begun again
            for place, records in fetched.items():
                for record in records:
                    take(record)
                self._next[place.partition] = records[-1].offset + 1
            for partition in [one for one in self._followed() if self._at_end(one)]:
                if partition == ENDPOINTS_PARTITION:
                    self.endpoints_known.set()
                if partition in self._reading and self.endpoints_known.is_set():
                    self._reading.discard(partition)
                    await whole(partition)

    def _followed(self) -> frozenset[int]:
        return self._ours | {ENDPOINTS_PARTITION}

    async def _begin(self) -> None:
        places = [TopicPartition(self._topic, partition) for partition in sorted(self._followed())]
        self._consumer.assign(places)
        for place in places:
            self._consumer.seek(place, self._next.setdefault(place.partition, 0))

    def _at_end(self, partition: int) -> bool:
        """Whether all that the broker had at its last answer was taken."""
        end = self._consumer.highwater(TopicPartition(self._topic, partition))
        return end is not None and self._next[partition] >= end
