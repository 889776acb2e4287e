"""Restock's snapshots on the embedded broker: who starts again reads the feed's tail only, and says nothing twice."""

from __future__ import annotations

import json
import re

import msgspec
import pytest
from aiokafka import AIOKafkaProducer

from schemas import topics
from streams import snapshots as writing
from streams.restock import snapshot
from streams.restock.snapshot import Snapshots
from streams.windows import Windows
from tests.integration.harness import roles
from tests.integration.test_restock import Worker, alerts, movement, opened, receipt, states, tell, until
from tests.integration.test_worker import whole
from tillstream import kafka

pytestmark = pytest.mark.integration
# Each is some 150 bytes in the feed: together more than a round is worth.
MANY = 35_000
READ = re.compile(r"partition (\d+): (\d+) messages of its feed were read")
FROM = re.compile(r"partition (\d+): goes on from its snapshot of (\d+)")


async def published(settings, topic, *messages):
    """The same as `tell`, of many."""
    async with AIOKafkaProducer(**kafka.client_options(settings), acks="all", linger_ms=20) as producer:
        for one in messages:
            await producer.send(settings.topic_prefix + topic, json.dumps(one).encode(), key=one["store_id"].encode())
        await producer.flush()


async def snapshots(settings):
    """The newest head of each partition that has one."""
    windows = Windows(settings.window_us, settings.grace_us)
    found = {}
    for partition, records in (await whole(settings, topics.SNAPSHOTS)).items():
        read = Snapshots()
        read.take(records)
        if heads := read.heads(windows):
            read.sections(heads[0])  # raises Damaged
            found[partition] = heads[0]
    return found


async def length(settings):
    """How many messages the feed has."""
    return sum(map(len, (await whole(settings, topics.FEED)).values()))


def filling(first, many):
    return (
        movement(f"f{number}", "adjustment", 5, 1, sku=f"sku-{number % 200}") for number in range(first, first + many)
    )


async def test_a_worker_that_was_killed_reads_the_tail_of_its_feed_and_says_nothing_twice(
    migrated, environment, caplog
):
    caplog.set_level("INFO")
    with roles(environment, migrated, "worker") as ((worker,), _):
        await tell(migrated, topics.RECEIPTS, receipt(1, 0, 1))
        await tell(migrated, topics.STOCK, movement("c1", "count", 10, 3), movement("c2", "count", 10, 3, sku="bread"))
        await opened(migrated)
        await tell(migrated, topics.RECEIPTS, receipt(2, 20, 3))
        await until(migrated, lambda found: "raised" in states(found))
        await published(migrated, topics.STOCK, *filling(0, MANY))
        ((partition, head),) = (await until(migrated, bool, snapshots)).items()
        await tell(migrated, topics.RECEIPTS, receipt(3, 30, 3, sku="bread"))
        before = await until(migrated, lambda found: states(found).count("raised") == 2)
        worker.kill()
        worker.wait()
    for delivered, sku in enumerate(("milk", "bread"), 1):
        caplog.clear()
        end = await length(migrated)
        async with Worker(migrated):
            await tell(migrated, topics.STOCK, movement(f"d{delivered}", "delivery", 40, 50, sku=sku))
            found = await until(migrated, lambda found, wanted=delivered: states(found).count("resolved") == wanted)
        assert FROM.findall(caplog.text) == [(str(partition), str(head.applied))]
        read = {int(number): int(many) for number, many in READ.findall(caplog.text)}
        assert 0 < read[partition] <= end - head.applied < end / 2
        assert sum(read.values()) == read[partition]
    assert found[: len(before)] == before
    assert len({(one.alert_id, one.sequence) for one in found}) == len(found)
    assert [one.on_hand for one in found if one.rule == "stock_out"] == ["0", "0", "50", "50"]


async def spoilt_part(settings, partition, head):
    """A store's section is gone."""
    return snapshot.part_key(
        head.owner, "store 12", (await places(settings, partition, head))["store 12"].slot, 0
    ), None


async def spoilt_mark(_settings, _partition, head):
    """A newer one is of a feed that holds another message at its offset."""
    other = msgspec.structs.replace(head, applied=head.applied + 1)
    return snapshot.head_message(other)[:2]


async def places(settings, partition, head):
    read = Snapshots()
    read.take((await whole(settings, topics.SNAPSHOTS))[partition])
    return read.index(head)


@pytest.mark.parametrize(
    ("spoilt", "told"), [(spoilt_part, "part 0 is missing"), (spoilt_mark, "is of another feed")], ids=["part", "feed"]
)
async def test_a_snapshot_that_cannot_be_used_costs_time_only(migrated, monkeypatch, caplog, spoilt, told):
    caplog.set_level("INFO")
    monkeypatch.setattr(writing, "LEAST_BYTES", 1)
    async with Worker(migrated):
        await tell(migrated, topics.RECEIPTS, receipt(1, 0, 1))
        await tell(migrated, topics.STOCK, movement("c1", "count", 10, 3))
        await opened(migrated)
        await tell(migrated, topics.RECEIPTS, receipt(2, 20, 3))
        await until(migrated, lambda found: "raised" in states(found))
        await published(migrated, topics.STOCK, *filling(0, 100))
        await until(migrated, bool, snapshots)
    before = await alerts(migrated)
    ((partition, head),) = (await snapshots(migrated)).items()
    key, value = await spoilt(migrated, partition, head)
    async with AIOKafkaProducer(**kafka.client_options(migrated), acks="all") as producer:
        name = migrated.topic_prefix + topics.SNAPSHOTS
        await producer.send_and_wait(name, value, key=key, partition=partition)
    caplog.clear()
    end = await length(migrated)
    monkeypatch.setattr(writing, "LEAST_BYTES", 1 << 30)
    async with Worker(migrated):
        await tell(migrated, topics.STOCK, movement("d1", "delivery", 40, 50))
        found = await until(migrated, lambda found: "resolved" in states(found))
    assert told in caplog.text
    # One before it may do: rounds were many.
    assert all(int(offset) <= head.applied < end for _, offset in FROM.findall(caplog.text))
    assert found[: len(before)] == before
    assert len({(one.alert_id, one.sequence) for one in found}) == len(found)
