"""Publish records by key: in order within a partition, each acknowledged before it is counted.

One batch a partition is under way at a time, so a repeated batch can never overtake a later one. An outage is waited
out and the batch sent again; what Kafka then has twice bears the same receipt id and counts once. Kafka's idempotent
producer would spare these repeats, but it ends for good when the broker has forgotten its producer id, as an embedded
broker has after a restart: there, waiting is worth more.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Self

from aiokafka import AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import (
    AuthenticationFailedError,
    ClusterAuthorizationFailedError,
    InvalidTopicError,
    KafkaError,
    MessageSizeTooLargeError,
    RecordListTooLargeError,
    TopicAuthorizationFailedError,
)
from aiokafka.partitioner import murmur2
from tenacity import AsyncRetrying, retry_if_exception_type, stop_after_delay, wait_random_exponential

from schemas.errors import Stop, Unavailable
from schemas.topics import MIB
from tillstream.kafka import client_options
from tillstream.settings import Settings

Record = tuple[bytes | None, bytes | None]

_START_SECONDS = 30.0
_SILENCE_SECONDS = 5.0
# The topics take messages of 4 MiB; what Kafka adds to a record is far less than the rest.
_LARGEST_REQUEST = 4 * MIB
_FINAL = (
    AuthenticationFailedError,
    ClusterAuthorizationFailedError,
    InvalidTopicError,
    MessageSizeTooLargeError,
    RecordListTooLargeError,
    TopicAuthorizationFailedError,
)


def partition_of(key: bytes, partitions: int) -> int:
    """The partition of a key by Kafka's own partitioner."""
    place: int = (murmur2(key) & 0x7FFFFFFF) % partitions
    return place


class Publisher:
    """A producer for one topic: `async with Publisher(settings, topic) as publisher: await publisher.send(…)`.

    `on_wait` is told once an outage that Kafka does not answer, in a sentence.
    """

    def __init__(self, settings: Settings, topic: str, on_wait: Callable[[str], None] = lambda _: None) -> None:
        self.topic = topic
        self.partitions = 0
        self._options = client_options(settings)
        self._on_wait = on_wait
        self._waiting = False
        self._producer: AIOKafkaProducer | None = None

    async def __aenter__(self) -> Self:
        """Connect; raises Unavailable after 30 s of trying, Stop where the topic is missing or may not be read."""
        await self._retry_start(self._find_topic)
        await self._retry_start(self._start_producer)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, fault: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Disconnect. Every acknowledged record is there already, so nothing is waited for long."""
        if self._producer is not None:
            try:
                await asyncio.wait_for(self._producer.stop(), timeout=_SILENCE_SECONDS)
            except (KafkaError, TimeoutError):
                return

    async def send(self, partition: int, records: Sequence[Record]) -> None:
        """Send records to one partition, in order; returns when Kafka has acknowledged all. Raises Stop."""
        begin = 0
        pause = wait_random_exponential(multiplier=0.2, max=5)
        async for attempt in AsyncRetrying(retry=retry_if_exception_type(Unavailable), wait=pause):
            with attempt:
                while begin < len(records):
                    begin = await self._send_batch(partition, records, begin)

    async def _send_batch(self, partition: int, records: Sequence[Record], begin: int) -> int:
        """Send as many records as one batch takes; returns where the next begins."""
        assert self._producer is not None
        batch = self._producer.create_batch()
        end = begin
        while end < len(records):
            key, value = records[end]
            if batch.append(key=key, value=value, timestamp=None) is None:
                break
            end += 1
        try:
            acknowledged = await self._producer.send_batch(batch, self.topic, partition=partition)
            await self._wait(acknowledged)
        except _FINAL as fault:
            raise Stop(
                f"Kafka refuses to write to {self.topic}: {type(fault).__name__}.",
                "Compare the topic's settings and the user's rights with what `tillstream migrate` says.",
            ) from None
        except KafkaError as fault:
            if type(fault) is KafkaError:  # the client's own sending task has ended
                raise Stop(f"The Kafka client failed: {fault}", "Start the command again.") from None
            self._say_waiting(type(fault).__name__)
            raise Unavailable("Kafka", str(fault)) from None
        self._waiting = False
        return end

    async def _wait(self, acknowledged: asyncio.Future[object]) -> None:
        done, _ = await asyncio.wait({acknowledged}, timeout=_SILENCE_SECONDS)
        if not done:
            self._say_waiting(f"no answer for {_SILENCE_SECONDS:.0f} s")
        await acknowledged

    def _say_waiting(self, reason: str) -> None:
        if not self._waiting:
            self._waiting = True
            self._on_wait(f"Kafka does not answer ({reason}): waiting, nothing is lost")

    async def _retry_start(self, step: Callable[[], object]) -> None:
        servers = ",".join(self._options["bootstrap_servers"])
        try:
            async for attempt in AsyncRetrying(
                retry=retry_if_exception_type(Unavailable),
                wait=wait_random_exponential(multiplier=0.2, max=2),
                stop=stop_after_delay(_START_SECONDS),
                reraise=True,
            ):
                with attempt:
                    try:
                        await step()  # type: ignore[misc]
                    except AuthenticationFailedError as fault:
                        raise Stop(f"Kafka at {servers} refuses the login: {fault}") from None
                    except KafkaError as fault:
                        self._say_waiting(f"{servers}, {type(fault).__name__}")
                        raise Unavailable("Kafka", servers) from None
        finally:
            self._waiting = False

    async def _find_topic(self) -> None:
        """Ask for all topics: asking for the one would create it on brokers that create topics by themselves."""
        admin = AIOKafkaAdminClient(**self._options)
        try:
            await admin.start()
            topics = await admin.list_topics()
        finally:
            await admin.close()
        if self.topic not in topics:
            raise Stop(f"Kafka has no topic {self.topic}.", "Run `tillstream migrate`, or start `tillstream up`.")

    async def _start_producer(self) -> None:
        self._producer = AIOKafkaProducer(
            **self._options,
            acks="all",
            compression_type="zstd",
            max_batch_size=MIB,
            max_request_size=_LARGEST_REQUEST,
        )
        try:
            await self._producer.start()
            self.partitions = len(await self._producer.partitions_for(self.topic))
        except KafkaError:
            await self._producer.stop()
            raise
