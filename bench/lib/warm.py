"""Makes a broker warm, as one is that has run for a minute: else its own compiler takes half of what a race is to show.

On two cores Apache Kafka's JVM spent 0.9 of the 1.6 seconds that it worked during a race on compiling itself. So before
a contestant starts, records are written and read for some seconds in all the ways in which contestants write and read:
compressed and not, to a topic that is compacted and to one that is not, with commits of a group.
"""

from __future__ import annotations

import asyncio
import time

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer

from schemas.topics import TopicSpec
from streams.batches import fill
from tillstream import kafka, topic_admin
from tillstream.settings import Settings
from tillstream.waiting import admin, wait_for_kafka

SECONDS = 12.0
RECORDS = 2_000
PARTITIONS = 4
TOPICS = (
    TopicSpec("warm-changelog", PARTITIONS, {"cleanup.policy": "compact"}),
    TopicSpec("warm-totals", PARTITIONS, {"cleanup.policy": "delete"}),
)


async def warm(settings: Settings, seconds: float = SECONDS) -> None:
    """Write to the broker and read from it for so long, and leave it in peace."""
    await wait_for_kafka(settings)
    async with admin(settings) as client:
        await topic_admin.create_missing(client, TOPICS)
    end = time.monotonic() + seconds
    await asyncio.gather(
        *(_written(settings, compression, end) for compression in ("zstd", None)), _read(settings, end)
    )
    async with admin(settings) as client:
        await client.delete_topics([topic.name for topic in TOPICS])


async def _written(settings: Settings, compression: str | None, end: float) -> None:
    options = kafka.client_options(settings)
    async with AIOKafkaProducer(**options, compression_type=compression, max_batch_size=1024**2, acks=-1) as producer:
        number = 0
        while time.monotonic() < end:
            sent = []
            for topic in TOPICS:
                for partition in range(PARTITIONS):
                    number += 1
                    batch = producer.create_batch()
                    fill(
                        batch,
                        [(b"store %d" % (number + at), b"total %d" % (at * number), []) for at in range(RECORDS)],
                        0,
                    )
                    sent.append(await producer.send_batch(batch, topic.name, partition=partition))
            await asyncio.gather(*sent)


async def _read(settings: Settings, end: float) -> None:
    async with AIOKafkaConsumer(
        *(topic.name for topic in TOPICS), **kafka.client_options(settings), group_id="warm", enable_auto_commit=False,
        auto_offset_reset="earliest",
    ) as consumer:  # fmt: skip
        while time.monotonic() < end:
            if await consumer.getmany(timeout_ms=100, max_records=RECORDS):
                await consumer.commit()
