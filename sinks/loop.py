"""The one loop of every sink: consume, write, commit, in this order.

While a batch is written the next one is gathered, and no more than that: partitions pause until the write is
through, and the consumer keeps polling, so that it stays in its group however long ClickHouse is away.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
import time
from collections.abc import Callable, Mapping
from typing import Any

from aiokafka import AIOKafkaConsumer, ConsumerRebalanceListener, TopicPartition
from aiokafka.errors import AuthenticationFailedError, CommitFailedError, IllegalStateError, KafkaError
from tenacity import AsyncRetrying, retry_if_exception_type, wait_random_exponential

from schemas.errors import Unavailable
from sinks import metrics
from sinks.batch import Batch, Prepare, SinkRecord, prepare_all, should_write
from sinks.clients import leave, reads_no_more, stopped_within
from sinks.store import ClickHouseStore

log = logging.getLogger(__name__)

RECORDS_PER_POLL = 5_000
LONGEST_RETRY = 10.0
START_AGAIN_SECONDS = (0.2, 3.0)
METADATA_AGE_MS = 10_000  # partitions that were added are taken up within this
# What is at hand at the end is written within this; ClickHouse being away, it is read again by the next sink.
LAST_SECONDS = 5.0


class SinkLoop(ConsumerRebalanceListener):  # type: ignore[misc]  # aiokafka has no types
    """Moves one group's topics into a store."""

    def __init__(self, name: str, consumer: Any, prepare: Mapping[str, Prepare], store: ClickHouseStore) -> None:
        self._name = name
        self._consumer = consumer
        self._prepare = prepare
        self._store = store
        self._begin()
        self._writing: asyncio.Task[None] | None = None

    def _begin(self) -> None:
        self._records: dict[str, list[SinkRecord]] = {}
        self._next: dict[TopicPartition, int] = {}
        self._size = 0
        self._oldest: float | None = None

    async def on_partitions_revoked(self, revoked: Any) -> None:
        """Drop what was gathered: it is not committed, and whoever owns it next reads it again."""
        del revoked
        self._begin()

    async def on_partitions_assigned(self, assigned: Any) -> None:
        """Begin anew: what was gathered since belongs to positions that are no longer ours."""
        del assigned
        self._begin()

    async def run(self, stop: asyncio.Event, on_ready: Callable[[], None] = lambda: None) -> None:
        """Run until `stop`, or until the consumer reads no more; then write and commit what is at hand.

        `on_ready` is called once assigned. Raises Stop.
        """
        ready = False
        try:
            while not stop.is_set() and not self.reads_no_more():
                await self._poll()
                if not ready and self._consumer.assignment():
                    ready = True
                    on_ready()
                await self._raise_if_failed()
                if self._writing is None and should_write(time.monotonic(), self._size, self._oldest):
                    self._write()
            await self._finish()
        finally:
            if self._writing is not None:
                self._writing.cancel()
                await asyncio.gather(self._writing, return_exceptions=True)

    def reads_no_more(self) -> bool:
        """Whether its client reads no more."""
        return reads_no_more(self._consumer)

    async def _finish(self) -> None:
        """Write and commit what is at hand, unless that takes too long: nothing that is not committed is lost."""
        try:
            async with asyncio.timeout(LAST_SECONDS):
                if self._writing is not None:
                    await self._raise_if_failed(wait=True)
                if self._records:
                    self._write()
                    await self._raise_if_failed(wait=True)
        except TimeoutError:
            log.warning("%s sink ends with rows unwritten, which it reads again at its next start", self._name)

    async def _poll(self) -> None:
        if self._writing is not None and should_write(time.monotonic(), self._size, self._oldest):
            self._consumer.pause(*self._consumer.assignment())
            await asyncio.wait({self._writing}, timeout=0.2)
            await self._consumer.getmany(timeout_ms=0)  # nothing comes: this says that we are alive
            return
        if paused := self._consumer.paused():
            self._consumer.resume(*paused)
        fetched = await self._consumer.getmany(timeout_ms=200, max_records=RECORDS_PER_POLL)
        for partition, records in fetched.items():
            self._records.setdefault(partition.topic, []).extend(records)
            self._next[partition] = records[-1].offset + 1
            self._size += sum(len(record.value or b"") for record in records)
        if fetched and self._oldest is None:
            self._oldest = time.monotonic()

    async def _raise_if_failed(self, *, wait: bool = False) -> None:
        if self._writing is not None and (wait or self._writing.done()):
            writing, self._writing = self._writing, None
            await writing

    def _write(self) -> None:
        records, offsets = self._records, self._next
        self._begin()
        self._writing = asyncio.create_task(self._write_and_commit(records, offsets))

    async def _write_and_commit(self, records: dict[str, list[SinkRecord]], offsets: dict[TopicPartition, int]) -> None:
        newest = 0
        for topic, found in records.items():
            for batch in await asyncio.to_thread(prepare_all, self._prepare[topic], found):
                await self._store_batch(batch)
                newest = max(newest, batch.newest)
        if newest:
            metrics.freshness.set(max(0.0, time.time() - newest / 1000))
        await self._commit(offsets)

    async def _store_batch(self, batch: Batch) -> None:
        waiting = False
        async for attempt in AsyncRetrying(
            retry=retry_if_exception_type(Unavailable),
            wait=wait_random_exponential(multiplier=0.2, max=LONGEST_RETRY),
            reraise=True,
        ):
            with attempt:
                try:
                    await asyncio.to_thread(self._store.write, batch)
                except Unavailable as away:
                    metrics.retries.labels(self._name).inc()
                    if not waiting:
                        log.warning("%s sink waits: %s", self._name, away)
                    waiting = True
                    raise
        if waiting:
            log.warning("%s sink goes on: ClickHouse answers again", self._name)

    async def _commit(self, offsets: dict[TopicPartition, int]) -> None:
        """Commit; one that is refused means that the partitions moved on, and that the rows are written again."""
        ours = self._consumer.assignment()
        offsets = {partition: offset for partition, offset in offsets.items() if partition in ours}
        if not offsets:
            return
        with contextlib.suppress(CommitFailedError, IllegalStateError):
            async for attempt in AsyncRetrying(
                retry=retry_if_exception_type(KafkaError),
                wait=wait_random_exponential(multiplier=0.2, max=LONGEST_RETRY),
                reraise=True,
            ):
                with attempt:
                    try:
                        await self._consumer.commit(offsets)
                    except (CommitFailedError, IllegalStateError):
                        return


async def run_sink(
    name: str,
    kafka_options: dict[str, Any],
    group: str,
    prepare: Mapping[str, Prepare],
    store: ClickHouseStore,
    stop: asyncio.Event,
    on_ready: Callable[[], None] = lambda: None,
) -> None:
    """Join the group and run a loop over the topics of `prepare` until `stop`. Raises Stop."""
    while True:
        consumer = AIOKafkaConsumer(
            group_id=group,
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            fetch_max_wait_ms=200,
            max_partition_fetch_bytes=8 * 1024 * 1024,
            session_timeout_ms=10_000,
            heartbeat_interval_ms=2_000,
            rebalance_timeout_ms=6_000,
            metadata_max_age_ms=METADATA_AGE_MS,
            **kafka_options,
        )
        try:
            await consumer.start()
        except AuthenticationFailedError:
            raise
        except KafkaError as fault:
            log.warning("%s sink: Kafka does not answer (%s): asking again", name, type(fault).__name__)
            await leave(consumer)
            if await stopped_within(stop, random.uniform(*START_AGAIN_SECONDS)):  # noqa: S311  # jitter
                return
            continue
        try:
            loop = SinkLoop(name, consumer, prepare, store)
            consumer.subscribe(list(prepare), listener=loop)
            await loop.run(stop, on_ready)
        finally:
            await leave(consumer)
        if stop.is_set():
            return
        log.warning("%s sink: Kafka's client had stopped reading: another one goes on", name)
