"""One contract for the producer in memory and for aiokafka's on the embedded broker."""

from contextlib import asynccontextmanager
from types import SimpleNamespace

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

from schemas import topics
from schemas.errors import Stop
from streams.framed import Framed
from streams.outlet import KafkaOutlet, renewing
from tests.unit.streams.producers import MemoryProducer
from tillstream import kafka

pytestmark = pytest.mark.integration
BATCH = 64 * 1024


async def nothing():
    pass


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
        outlet = KafkaOutlet(lambda: producer, {"late": late}, nothing)
        await outlet.send("late", 1, sent)
        await outlet.send("late", 1, [tombstone, large, tombstone])
        await outlet.acknowledged()
        written = Framed([])
        for key, value, _ in sent:
            written = written.and_then(key, value)
        await outlet.send("late", 1, Framed([*written.batches, *written.and_then(None, b"last").batches]))
        await outlet.send("late", 1, [tombstone])
        await outlet.acknowledged()
        whole = [(key, value, []) for key, value, _ in sent]
        assert await landed(late, 1) == [
            *sent, tombstone, large, tombstone, *whole, *whole, (None, b"last", []), tombstone,
        ]  # fmt: skip
        await outlet.send("late", 99, sent)
        with pytest.raises(Stop, match=r"has no partition 99"):
            await outlet.acknowledged()


async def test_a_client_whose_sending_task_has_ended_is_replaced_and_nothing_is_lost(migrated, caplog):
    """aiokafka's task ends with whatever an answer that was cut off brings about; every batch fails from then on."""
    late = migrated.topic_prefix + topics.LATE

    def client():
        return AIOKafkaProducer(**kafka.client_options(migrated), acks=-1)

    faust = SimpleNamespace(_producer=client(), _new_producer=client)
    await faust._producer.start()

    async def cut_off(*_):
        raise ValueError("an answer that cannot be read")

    faust._producer._sender._send_produce_req = cut_off
    outlet = KafkaOutlet(lambda: faust._producer, {"late": late}, renewing(lambda: faust))
    try:
        for at in range(3):
            await outlet.send("late", 0, [(b"k", b"%d" % at, [])])
        await outlet.acknowledged()
        await outlet.send("late", 0, [(b"k", b"3", [])])
        await outlet.acknowledged()
    finally:
        await faust._producer.stop()
    async with on_the_broker(migrated) as (_, landed):
        assert sorted(value for _, value, _ in await landed(late, 0)) == [b"0", b"1", b"2", b"3"]
    assert "another one goes on" in caplog.text
