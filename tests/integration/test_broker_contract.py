"""What tillstream needs of a broker, of the embedded one (`make test`) and of Apache Kafka (`make test-kafka`)."""

from __future__ import annotations

import asyncio
import time
import uuid
from contextlib import asynccontextmanager

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import NewPartitions, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import IncompatibleBrokerVersion
from aiokafka.structs import OffsetAndMetadata

from schemas.topics import MIB
from tillstream import kafka
from tillstream.groups import STABLE
from tillstream.waiting import admin

pytestmark = pytest.mark.integration
PARTITIONS = 4


@pytest.fixture
def name():
    return f"contract-{uuid.uuid4().hex[:10]}"


async def create(settings, name, partitions=PARTITIONS, **config):
    async with admin(settings) as client:
        topic = NewTopic(name, partitions, 1, topic_configs={key.replace("_", "."): at for key, at in config.items()})
        answer = await client.create_topics([topic])
        assert [error[1] for error in answer.topic_errors] == [0]
        async with asyncio.timeout(30):
            while name not in await client.list_topics():  # noqa: ASYNC110  # a broker has no way to tell
                await asyncio.sleep(0.05)


@asynccontextmanager
async def producer(settings, **options):
    async with AIOKafkaProducer(**kafka.client_options(settings), acks="all", **options) as client:
        yield client


async def send_batch(client, topic, partition, records):
    """One batch of (key, value, timestamp, headers); gives the offset that its first record is told to have."""
    batch = client.create_batch()
    for key, value, timestamp, headers in records:
        assert batch.append(key=key, value=value, timestamp=timestamp, headers=headers) is not None
    return (await (await client.send_batch(batch, topic, partition=partition))).offset


async def whole(settings, name, partitions=range(PARTITIONS)):
    """Every record of a topic, by partition, up to the ends as `tillstream.kafka` knows them."""
    parts = [TopicPartition(name, at) for at in partitions]
    found = {at: [] for at in partitions}
    options = {"max_partition_fetch_bytes": 32 * MIB, "fetch_max_bytes": 64 * MIB}
    async with AIOKafkaConsumer(**kafka.client_options(settings), **options) as consumer, asyncio.timeout(60):
        ends = await kafka.end_offsets(consumer, parts)
        await consumer.seek_to_beginning(*parts)
        for part in parts:
            while await consumer.position(part) < ends[part]:
                for record in (await consumer.getmany(part, timeout_ms=200)).get(part, []):
                    found[part.partition].append(record)
    return found


@asynccontextmanager
async def member(settings, group, topic, *, leave=True, **options):
    """A consumer in a group; one that does not leave goes silent instead, as a killed process does."""
    session = {"session_timeout_ms": 2_000, "heartbeat_interval_ms": 300, "rebalance_timeout_ms": 1_500}
    options = {"enable_auto_commit": False, "auto_offset_reset": "earliest", **session, **options}
    consumer = AIOKafkaConsumer(topic, **kafka.client_options(settings), group_id=group, **options)
    await consumer.start()
    try:
        yield consumer
    finally:
        if not leave:

            async def silent():
                pass

            consumer._coordinator._maybe_leave_group = silent
        await consumer.stop()


async def shared(*consumers):
    """Return once the consumers hold all partitions between them, each one at least one."""
    async with asyncio.timeout(60):
        while True:
            held = [consumer.assignment() for consumer in consumers]
            if all(held) and sum(map(len, held)) == PARTITIONS == len(set().union(*held)):
                return held
            for consumer in consumers:
                await consumer.getmany(timeout_ms=50, max_records=1)


async def test_offsets_are_contiguous_and_in_the_order_of_sending_within_a_partition(settings, name):
    await create(settings, name)
    async with producer(settings) as client:
        told = [
            await send_batch(client, name, 1, [(b"k", b"%d" % (10 * batch + at), None, []) for at in range(size)])
            for batch, size in enumerate([1, 3, 10, 2])
        ]
        await send_batch(client, name, 2, [(b"k", b"other", None, [])])
    assert told == [0, 1, 4, 14], "each acknowledgement names the first offset of its batch"
    found = await whole(settings, name)
    assert [record.offset for record in found[1]] == list(range(16))
    values = [int(record.value) for record in found[1]]
    assert values == [0, 10, 11, 12, *range(20, 30), 30, 31]
    assert [record.offset for record in found[2]] == [0]
    assert found[0] == found[3] == []


async def test_keys_values_headers_and_timestamps_come_back_byte_for_byte(settings, name):
    await create(settings, name)
    at = 1_725_000_000_123
    sent = [
        (b"12", "på lager".encode(), at, [("path", b"$.lines[0]"), ("reason", b"")]),
        (None, b"", at + 1, []),
        (b"\x00\xff", None, at + 2, []),
    ]
    async with producer(settings) as client:
        await send_batch(client, name, 0, sent)
    found = (await whole(settings, name))[0]
    assert [(r.key, r.value, r.timestamp, list(r.headers)) for r in found] == sent


async def test_zstd_batches_are_stored_and_given_back(settings, name):
    await create(settings, name)
    values = [b"milk and bread " * 200 + b"%d" % at for at in range(300)]
    async with producer(settings, compression_type="zstd", max_batch_size=2 * MIB) as client:
        await send_batch(client, name, 0, [(b"k", value, None, []) for value in values])
    assert [record.value for record in (await whole(settings, name))[0]] == values


async def test_a_changelog_record_of_15_mib_fits(settings, name):
    await create(settings, name, cleanup_policy="compact", max_message_bytes=str(16 * MIB))
    value = uuid.uuid4().bytes * (15 * MIB // 16 - 100)  # the rest is what a batch adds
    options = {"max_request_size": 15 * MIB, "max_batch_size": 15 * MIB}
    async with producer(settings, **options) as client:
        await send_batch(client, name, 0, [(b"k", value, None, [])])
    [record] = (await whole(settings, name))[0]
    assert record.value == value


async def test_the_end_of_a_partition_is_the_offset_after_its_last_record(settings, name):
    await create(settings, name)
    parts = [TopicPartition(name, at) for at in range(PARTITIONS)]
    async with producer(settings) as client, AIOKafkaConsumer(**kafka.client_options(settings)) as consumer:
        assert set((await kafka.end_offsets(consumer, parts)).values()) == {0}
        for size in (1, 7):
            await send_batch(client, name, 3, [(b"k", b"v", None, []) for _ in range(size)])
        ends = await kafka.end_offsets(consumer, parts)
        assert ends == {part: 8 if part.partition == 3 else 0 for part in parts}
        assert await consumer.beginning_offsets(parts) == dict.fromkeys(parts, 0)


async def test_the_settings_of_a_topic_are_kept_and_told(settings, name):
    wanted = {"cleanup.policy": "compact", "max.message.bytes": str(16 * MIB), "retention.ms": "-1"}
    await create(settings, name, **{key.replace(".", "_"): value for key, value in wanted.items()})
    async with admin(settings) as client:
        [answer] = await client.describe_configs([ConfigResource(ConfigResourceType.TOPIC, name)])
        told = {entry[0]: entry[1] for resource in answer.resources for entry in resource[4]}
        assert {key: told.get(key) for key in wanted} == wanted
        [topic] = await client.describe_topics([name])
        assert len(topic["partitions"]) == PARTITIONS


async def test_a_deleted_topic_is_gone_and_one_made_anew_is_empty(settings, name):
    await create(settings, name)
    async with producer(settings) as client:
        await send_batch(client, name, 0, [(b"k", b"old", None, [])])
    async with admin(settings) as client:
        await client.delete_topics([name])
        async with asyncio.timeout(30):
            while name in await client.list_topics():  # noqa: ASYNC110  # a broker has no way to tell
                await asyncio.sleep(0.05)
    await create(settings, name)
    assert (await whole(settings, name))[0] == []


async def test_two_consumers_share_the_partitions_and_one_takes_over_from_one_that_went_silent(settings, name):
    await create(settings, name)
    async with member(settings, name, name) as stays:
        async with member(settings, name, name, leave=False) as goes:
            await shared(stays, goes)
            async with admin(settings) as client:
                [answer] = await client.describe_consumer_groups([name])
                [group] = answer.groups
                assert (group[1], group[2], len(group[5])) == (name, STABLE, 2)
        begun = time.monotonic()
        await shared(stays)
        assert time.monotonic() - begun > 1, "it was not told, it found out"


async def test_a_commit_is_read_back_by_whoever_comes_next(settings, name):
    await create(settings, name)
    async with producer(settings) as client:
        await send_batch(client, name, 0, [(b"k", b"%d" % at, None, []) for at in range(10)])
    part, other = TopicPartition(name, 0), TopicPartition(name, 1)
    async with member(settings, name, name) as first:
        await shared(first)
        assert await first.committed(part) is None
        await first.commit({part: OffsetAndMetadata(4, "")})
    async with member(settings, name, name) as second:
        await shared(second)
        assert await second.committed(part) == 4
        assert await second.committed(other) is None
        async with asyncio.timeout(30):
            while not (records := (await second.getmany(part, timeout_ms=200)).get(part)):
                pass
        assert records[0].offset == 4


async def test_partitions_can_be_added_but_to_the_embedded_broker_which_says_so(settings, name, on_kafka):
    await create(settings, name, partitions=2)
    async with admin(settings) as client:
        more = {name: NewPartitions(total_count=3)}
        if not on_kafka:
            with pytest.raises(IncompatibleBrokerVersion):
                await client.create_partitions(more)
            return
        await client.create_partitions(more)
        async with asyncio.timeout(30):
            while len((await client.describe_topics([name]))[0]["partitions"]) < 3:  # noqa: ASYNC110  # likewise
                await asyncio.sleep(0.05)
    async with producer(settings) as client:
        await send_batch(client, name, 2, [(b"k", b"v", None, [])])
    assert len((await whole(settings, name, range(3)))[2]) == 1
