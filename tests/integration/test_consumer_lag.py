"""The lag of the groups, as the broker knows it."""

from __future__ import annotations

import asyncio

import pytest
from prometheus_client import REGISTRY

from schemas import topics
from tests.integration.harness import publish
from tests.integration.test_exact import receipts
from tillstream.consumer_lag import measure, report

pytestmark = pytest.mark.integration


def test_what_nobody_has_read_is_lag_of_those_who_should_and_of_no_one_else(migrated):
    sent = receipts(300, seed=11)

    async def run():
        before = await measure(migrated, 1)
        await publish(migrated, sent)
        return before, await measure(migrated, 1)

    before, after = asyncio.run(run())
    asyncio.run(reported(migrated))
    epochs = migrated.topic_prefix + topics.EPOCHS
    assert {lag.records for lag in before if lag.topic != epochs} == {0}
    by_group = {}
    for lag in after:
        by_group[lag.group, lag.topic] = by_group.get((lag.group, lag.topic), 0) + lag.records
    prefix = migrated.topic_prefix
    assert by_group == {
        (topics.group_id(prefix, 1, "worker"), prefix + topics.RECEIPTS): 300,
        (topics.group_id(prefix, 1, "ledger"), prefix + topics.RECEIPTS): 300,
        (topics.rows_group(prefix), prefix + topics.WINDOWS): 0,
        (topics.rows_group(prefix), prefix + topics.LATE): 0,
        (topics.rows_group(prefix), prefix + topics.REJECTED): 0,
        (topics.rows_group(prefix), prefix + topics.DELIVERIES): 0,
        (topics.rows_group(prefix), epochs): 1,
        (topics.rows_group(prefix), prefix + topics.ALERTS): 0,
        (topics.rows_group(prefix), prefix + topics.POSITIONS): 0,
    }
    assert len({lag.partition for lag in after}) == migrated.partitions


async def reported(settings):
    """The gauge says what the broker says, of every partition."""
    group, topic = topics.group_id(settings.topic_prefix, 1, "ledger"), settings.topic_prefix + topics.RECEIPTS

    def records():
        labels = [{"group": group, "topic": topic, "partition": str(n)} for n in range(settings.partitions)]
        return [REGISTRY.get_sample_value("tillstream_consumer_lag", some) for some in labels]

    stop = asyncio.Event()
    task = asyncio.create_task(report(settings, 1, stop))
    async with asyncio.timeout(30):
        while None in records():  # noqa: ASYNC110
            await asyncio.sleep(0.05)  # the reporter has nobody to tell
    assert sum(records()) == 300
    stop.set()
    await task


async def test_a_kafka_that_takes_connections_and_never_answers_holds_up_no_stop(settings):
    asked = asyncio.Event()

    async def say_nothing(_reader, writer):
        asked.set()
        try:
            await asyncio.Event().wait()
        finally:
            writer.close()

    async with await asyncio.start_server(say_nothing, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        stop = asyncio.Event()
        mute = settings.model_copy(update={"kafka_url": f"kafka://127.0.0.1:{port}"})
        task = asyncio.create_task(report(mute, 1, stop))
        await asked.wait()
        stop.set()
        async with asyncio.timeout(5):
            await task
