"""How far each consumer group has read, asked of the broker: a process that stalls cannot say so itself."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any, NamedTuple

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import GroupCoordinatorNotAvailableError, GroupLoadInProgressError
from tenacity import AsyncRetrying, retry_if_exception_type, stop_after_delay, wait_fixed

from schemas import topics
from schemas.topics import group_id, rows_group, webhooks_group
from sinks import metrics
from tillstream import kafka, topic_admin
from tillstream.now_and_then import now_and_then
from tillstream.settings import Settings
from tillstream.waiting import admin

# Which group reads which topics.
READ = {
    "worker": (topics.RECEIPTS,),
    "clickhouse": (
        topics.WINDOWS, topics.LATE, topics.REJECTED, topics.EPOCHS, topics.ALERTS, topics.POSITIONS, topics.DELIVERIES,
    ),
    "ledger": (topics.RECEIPTS,),
}  # fmt: skip
# Only where there are endpoints: otherwise nobody is meant to read them.
READ_FOR_WEBHOOKS = {"webhooks": (topics.ALERTS,)}
EVERY_SECONDS = 5.0
COORDINATOR_SECONDS = 10.0


class Lag(NamedTuple):
    """Records between the committed offset and the end of one partition."""

    role: str
    group: str
    topic: str
    partition: int
    committed: int
    end: int

    @property
    def records(self) -> int:
        """How many records are still to be read."""
        return max(0, self.end - self.committed)


async def end_offsets(settings: Settings, counts: Mapping[str, int]) -> dict[TopicPartition, int]:
    """End offsets of every partition of some topics, given with their partition counts; raises KafkaError."""
    consumer = AIOKafkaConsumer(**kafka.client_options(settings), enable_auto_commit=False, fetch_max_wait_ms=50)
    try:
        await consumer.start()
        partitions = [TopicPartition(name, number) for name, count in counts.items() for number in range(count)]
        return await kafka.end_offsets(consumer, partitions)
    finally:
        await consumer.stop()


async def measure(settings: Settings, epoch: int) -> list[Lag]:
    """Every group's lag by partition, the topics being there; raises Unavailable or KafkaError."""
    prefix = settings.topic_prefix
    found: list[Lag] = []
    async with admin(settings) as client:
        roles = READ | (READ_FOR_WEBHOOKS if settings.webhooks else {})
        read = dict.fromkeys(prefix + name for names in roles.values() for name in names)
        ends = await end_offsets(settings, await topic_admin.partition_counts(client, list(read)))
        for role, names in roles.items():
            group = _of_all_epochs(prefix).get(role) or group_id(prefix, epoch, role)
            wanted = [part for part in ends if part.topic.removeprefix(prefix) in names]
            committed = await _committed(client, group, wanted)
            for part in wanted:
                at = committed[part].offset if part in committed else -1
                found.append(Lag(role, group, part.topic, part.partition, max(at, 0), ends[part]))
    return found


def _of_all_epochs(prefix: str) -> dict[str, str]:
    return {"clickhouse": rows_group(prefix), "webhooks": webhooks_group(prefix)}


async def _committed(
    client: AIOKafkaAdminClient, group: str, wanted: list[TopicPartition]
) -> dict[TopicPartition, Any]:
    """A group's offsets; a broker that has never had a group says at first that it has nobody to ask, and makes one."""
    async for attempt in AsyncRetrying(
        retry=retry_if_exception_type((GroupCoordinatorNotAvailableError, GroupLoadInProgressError)),
        wait=wait_fixed(0.2),
        stop=stop_after_delay(COORDINATOR_SECONDS),
        reraise=True,
    ):
        with attempt:
            found: dict[TopicPartition, Any] = await client.list_consumer_group_offsets(group, partitions=wanted)
    return found


async def report(settings: Settings, epoch: int, stop: asyncio.Event) -> None:
    """Keep `tillstream_consumer_lag` up to date until `stop`; while Kafka is away the last figures stand."""

    async def once() -> None:
        for lag in await measure(settings, epoch):
            metrics.lag.labels(lag.group, lag.topic, str(lag.partition)).set(lag.records)

    await now_and_then(once, EVERY_SECONDS, stop)
