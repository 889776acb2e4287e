"""Reads the log from its beginning to the ends that were noted, and waits until everyone has passed them."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition

from schemas.errors import Unavailable
from tillstream import kafka
from tillstream.settings import Settings

POLL = 0.2


@asynccontextmanager
async def reader(settings: Settings, group: str | None = None) -> AsyncIterator[AIOKafkaConsumer]:
    """A consumer that joins no group; with `group`, one that can ask for its committed offsets."""
    consumer = AIOKafkaConsumer(
        **kafka.client_options(settings),
        **kafka.TO_THE_END,
        group_id=group,
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        max_partition_fetch_bytes=8 * 1024 * 1024,
        fetch_max_bytes=64 * 1024 * 1024,
    )
    try:
        await consumer.start()
        yield consumer
    finally:
        await consumer.stop()


async def ends_of(settings: Settings, topic: str) -> dict[TopicPartition, int]:
    """End offsets of every partition of a topic."""
    async with reader(settings) as consumer:
        partitions = [TopicPartition(topic, number) for number in range(settings.partitions)]
        return await kafka.end_offsets(consumer, partitions)


async def wait_until_passed(
    settings: Settings, group: str, ends: Mapping[TopicPartition, int], deadline: float
) -> None:
    """Return once `group` has committed all `ends`; Unavailable at `deadline` (monotonic), naming who lags."""
    wanted = {partition: end for partition, end in ends.items() if end > 0}
    async with reader(settings, group) as consumer:
        while True:
            lags = {partition: end - (await consumer.committed(partition) or 0) for partition, end in wanted.items()}
            behind = {partition: lag for partition, lag in lags.items() if lag > 0}
            if not behind:
                return
            if time.monotonic() >= deadline:
                topic = next(iter(behind)).topic
                raise Unavailable(
                    f"Group {group}",
                    f"it is {sum(behind.values())} records behind the end of {topic} as noted at the start",
                )
            await asyncio.sleep(POLL)


async def read(
    consumer: AIOKafkaConsumer, partition: TopicPartition, end: int, on_records: Callable[[int], Any]
) -> AsyncIterator[list[Any]]:
    """Yield a partition's records from its beginning up to `end` (exclusive), in offset order."""
    consumer.assign([partition])
    await consumer.seek_to_beginning(partition)
    position = await consumer.position(partition)
    while position < end:
        for records in (await consumer.getmany(partition, timeout_ms=500, max_records=5_000)).values():
            position = records[-1].offset + 1
            kept = [record for record in records if record.offset < end]
            on_records(len(kept))
            yield kept
        position = max(position, await consumer.position(partition))
