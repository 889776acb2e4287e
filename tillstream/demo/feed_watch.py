"""Follows `restock.feed` and `restock.alerts` from their beginning: what restock was told, and what it has said."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Callable
from contextlib import AsyncExitStack
from types import TracebackType
from typing import Self

from aiokafka import AIOKafkaConsumer, TopicPartition

from schemas import alert, feed
from schemas.errors import Unavailable
from schemas.feed import FeedMessage, Movement, Sales
from schemas.topics import ALERTS, FEED
from tillstream.reconcile import log
from tillstream.settings import Settings

# So long without a message that is waited for, and something is broken.
SILENT_SECONDS = 60.0


class FeedWatch:
    """`messages` are those of each partition of the feed with their offsets, `raised` counts alerts by their state."""

    def __init__(self, settings: Settings) -> None:
        self.messages: dict[int, list[tuple[int, FeedMessage]]] = {}
        self.states: Counter[str] = Counter()
        self._settings = settings
        self._watermarks: dict[str, int] = {}
        self._moved: set[str] = set()
        self._changed = asyncio.Condition()
        self._stack = AsyncExitStack()
        self._reading: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        """Begin to follow."""
        consumer = await self._stack.enter_async_context(log.reader(self._settings))
        prefix = self._settings.topic_prefix
        consumer.assign(
            [
                TopicPartition(prefix + topic, number)
                for topic in (FEED, ALERTS)
                for number in range(self._settings.partitions)
            ]
        )
        self._reading = asyncio.create_task(self._read(consumer, prefix + FEED))
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, fault: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Follow no more."""
        if self._reading is not None:
            self._reading.cancel()
            await asyncio.gather(self._reading, return_exceptions=True)
        await self._stack.aclose()

    async def sold(self, store_id: str, until: int) -> None:
        """Return once restock was told a store's sales up to a moment; raises Unavailable where it is not."""
        await self._wait(lambda: self._watermarks.get(store_id, -1) >= until, f"the sales of store {store_id}")

    async def moved(self, movement_ids: set[str]) -> None:
        """Return once restock was told these movements; raises Unavailable where it is not."""
        await self._wait(lambda: movement_ids <= self._moved, f"{len(movement_ids)} stock movements")

    async def _wait(self, told: Callable[[], bool], what: str) -> None:
        assert self._reading is not None, "it follows"
        deadline = time.monotonic() + SILENT_SECONDS
        async with self._changed:
            while not told():
                if self._reading.done():
                    self._reading.result()
                try:
                    async with asyncio.timeout(deadline - time.monotonic()):
                        await self._changed.wait()
                except TimeoutError:
                    raise Unavailable("Restock", f"it was not told {what} within {SILENT_SECONDS:.0f} s") from None

    async def _read(self, consumer: AIOKafkaConsumer, feed_topic: str) -> None:
        while True:
            fetched = await consumer.getmany(timeout_ms=1_000)
            async with self._changed:
                for tp, records in fetched.items():
                    for record in records:
                        if tp.topic == feed_topic:
                            self._told(tp.partition, record.offset, feed.decode(record.value))
                        else:
                            self.states[alert.decode(record.value).state] += 1
                self._changed.notify_all()

    def _told(self, partition: int, offset: int, message: FeedMessage) -> None:
        self.messages.setdefault(partition, []).append((offset, message))
        if isinstance(message, Sales):
            known = self._watermarks.get(message.store_id, -1)
            self._watermarks[message.store_id] = max(known, message.watermark)
        elif isinstance(message, Movement):
            self._moved.add(message.movement_id)
