"""What the worker sees of the log when it starts, on the embedded broker."""

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer

from schemas import topics
from schemas.errors import Stop
from streams import log_reader
from streams.log_reader import look, read_on
from streams.records import fingerprint
from streams.same_log import LogView
from tillstream import kafka

pytestmark = pytest.mark.integration


async def test_a_partition_is_seen_with_its_true_end_and_the_record_at_an_offset(migrated):
    """The records of partition 0 are one batch, of which the embedded broker's ListOffsets sees one record."""
    topic = migrated.topic_prefix + topics.RECEIPTS
    options = kafka.client_options(migrated)
    async with AIOKafkaProducer(**options) as producer:
        batch = producer.create_batch()
        for number in range(5):
            batch.append(key=b"12", value=b"%d" % number, timestamp=None)
        await (await producer.send_batch(batch, topic, partition=0))
        await producer.send_and_wait(topic, b"one", key=b"7", partition=1)
    assert await look(options, topic, {0: 4, 1: 3, 2: 0}) == {
        0: LogView(0, 5, fingerprint(4, b"12", b"4")),
        1: LogView(0, 1, None),
        2: LogView(0, 0, None),
    }


async def test_partitions_are_read_on_from_an_offset_to_their_end(migrated):
    """Batches of several records, of which the embedded broker's ListOffsets sees one each; an end; nothing at all."""
    topic = migrated.topic_prefix + topics.RECEIPTS
    options = kafka.client_options(migrated)
    async with AIOKafkaProducer(**options) as producer:
        for _ in range(2):
            batch = producer.create_batch()
            for number in range(3):
                batch.append(key=b"12", value=b"%d" % number, timestamp=None)
            await (await producer.send_batch(batch, topic, partition=0))
        await producer.send_and_wait(topic, b"one", key=b"7", partition=1)
    found = await read_on(options, topic, {0: 2, 1: 1, 2: 0})
    assert {part: [(one.offset, one.value) for one in records] for part, records in found.items()} == {
        0: [(2, b"2"), (3, b"0"), (4, b"1"), (5, b"2")],
        1: [],
        2: [],
    }


async def test_a_log_that_ends_before_what_was_read_is_refused(migrated, on_kafka):
    topic = migrated.topic_prefix + topics.RECEIPTS
    if on_kafka:  # the embedded broker answers with nothing, and cannot lose an end
        with pytest.raises(Stop):
            await read_on(kafka.client_options(migrated), topic, {0: 5})
    else:
        assert await read_on(kafka.client_options(migrated), topic, {0: 5}) == {0: []}


async def test_all_partitions_are_looked_at_together(migrated, monkeypatch):
    """A worker waits for it before it folds, and has many."""
    assigned = []

    class Told(AIOKafkaConsumer):
        def assign(self, partitions):
            assigned.append({part.partition for part in partitions})
            super().assign(partitions)

    monkeypatch.setattr(log_reader, "AIOKafkaConsumer", Told)
    topic = migrated.topic_prefix + topics.RECEIPTS
    options = kafka.client_options(migrated)
    async with AIOKafkaProducer(**options) as producer:
        for partition in range(3):
            await producer.send_and_wait(topic, b"%d" % partition, key=b"7", partition=partition)
    seen = await look(options, topic, {0: 0, 1: 0, 2: 0})
    assert seen == {at: LogView(0, 1, fingerprint(0, b"7", b"%d" % at)) for at in range(3)}
    assert assigned == [{0, 1, 2}]
