"""The log that every contestant reads, and reading back what they wrote."""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from contextlib import asynccontextmanager

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.structs import ConsumerRecord

from schemas.topics import TopicSpec
from tillstream import epochs, kafka, topic_admin
from tillstream.local import demo_data
from tillstream.replay import publish
from tillstream.settings import Settings
from tillstream.waiting import admin, wait_for_kafka

# A poll of the default size costs more than its records do.
_AT_ONCE = 4 * 1024**2


async def create_topics(
    settings: Settings, more: Iterable[TopicSpec] = (), kept: Mapping[str, dict[str, str]] | None = None
) -> None:
    """Make the topics of an installation and some more; `kept` are further settings of topics, by name."""
    # A topic made a moment ago has no leader yet; aiokafka tries again, and warns each time.
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)
    await wait_for_kafka(settings)
    specs = [
        dataclasses.replace(spec, config={**spec.config, **(kept or {}).get(spec.name, {})})
        for spec in (*topic_admin.wanted(settings), *more)
    ]
    async with admin(settings) as client:
        await topic_admin.create_missing(client, specs)
    await epochs.write(settings, epochs.first(settings))


async def preload(settings: Settings, receipts: int | None, more_topics: Iterable[str] = ()) -> tuple[int, int]:
    """Make the topics and publish the demo's receipts; gives (receipts, lines)."""
    await create_topics(settings, [TopicSpec(name, settings.partitions) for name in more_topics])
    published = await publish(settings, demo_data.receipts(receipts))
    return published.receipts, published.lines


@asynccontextmanager
async def _reader(settings: Settings) -> AsyncIterator[AIOKafkaConsumer]:
    consumer = AIOKafkaConsumer(
        **kafka.client_options(settings), enable_auto_commit=False, max_partition_fetch_bytes=_AT_ONCE
    )
    await consumer.start()
    try:
        yield consumer
    finally:
        await consumer.stop()


async def ends_of(settings: Settings, topic: str) -> dict[TopicPartition, int]:
    """End offsets of a topic's partitions."""
    async with admin(settings) as client:
        [found] = await client.describe_topics([topic])
    parts = [TopicPartition(topic, number) for number in sorted(one["partition"] for one in found["partitions"])]
    async with _reader(settings) as consumer:
        return await kafka.end_offsets(consumer, parts)


async def all_records(settings: Settings, topic: str) -> AsyncIterator[ConsumerRecord]:
    """Every record of a topic, partition by partition."""
    ends = await ends_of(settings, topic)
    async with _reader(settings) as consumer:
        for part, end in ends.items():
            consumer.assign([part])
            await consumer.seek_to_beginning(part)
            while await consumer.position(part) < end:
                for record in (await consumer.getmany(part, timeout_ms=500)).get(part, []):
                    yield record


async def last_values(
    settings: Settings, topic: str, read: Callable[[bytes, bytes], tuple[str, int]]
) -> dict[str, int]:
    """What stands in a topic once all of it is applied: of each key the last record holds."""
    last: dict[str, int] = {}
    async for record in all_records(settings, topic):
        key, value = read(record.key, record.value)
        last[key] = value
    return last
