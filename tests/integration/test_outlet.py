"""One contract for the producer in memory and for aiokafka's on the embedded broker."""

from contextlib import asynccontextmanager

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

from schemas import topics
from schemas.errors import Stop
from streams.outlet import KafkaOutlet
from tests.unit.streams.producers import MemoryProducer
from tillstream import kafka

pytestmark = pytest.mark.integration
BATCH = 64 * 1024


@asynccontextmanager
async def in_memory(settings):
    producer = MemoryProducer(partitions=settings.partitions, batch_size=BATCH)

    async def landed(topic, partition):
        return producer.log[topic, partition]

    yield producer, landed


@asynccontextmanager
async def on_the_broker(settings):
    options = kafka.client_options(settings)

    async def landed(topic, partition):
        async with AIOKafkaConsumer(**options) as consumer:
            tp = TopicPartition(topic, partition)
            end = (await kafka.end_offsets(consumer, [tp]))[tp]
            await consumer.seek_to_beginning(tp)
            found = []
            while await consumer.position(tp) < end:
                found += (await consumer.getmany(tp, timeout_ms=1_000)).get(tp, [])
            return [(record.key, record.value, list(record.headers)) for record in found]

    async with AIOKafkaProducer(**options, max_batch_size=BATCH, compression_type="zstd", acks=-1) as producer:
        yield producer, landed


@pytest.mark.parametrize("kind", [in_memory, on_the_broker])
async def test_a_producer_as_the_outlet_needs_it(kind, migrated):
    late = migrated.topic_prefix + topics.LATE
    sent = [(b"k%d" % at, b"%d" % at * 500, [("at", b"%d" % at)]) for at in range(300)]
    tombstone = (b"gone", None, [])
    large = (None, b"x" * 3 * BATCH, [])  # larger than a batch, which holds it alone
    async with kind(migrated) as (producer, landed):
        outlet = KafkaOutlet(lambda: producer, {"late": late})
        await outlet.send("late", 1, sent)
        await outlet.send("late", 1, [tombstone, large, tombstone])
        await outlet.acknowledged()
        assert await landed(late, 1) == [*sent, tombstone, large, tombstone]
        with pytest.raises(Stop, match=r"has no partition 99"):
            await outlet.send("late", 99, sent)
