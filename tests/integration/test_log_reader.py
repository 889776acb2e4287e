"""What the worker sees of the log when it starts, on the embedded broker."""

import pytest
from aiokafka import AIOKafkaProducer

from schemas import topics
from streams.log_reader import look
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
