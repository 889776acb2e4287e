"""Partitions added to the topics of a running installation: stores move, totals stay right."""

from __future__ import annotations

import asyncio

import pytest

from schemas import topics
from schemas.errors import Stop
from schemas.feed import PolicySetting
from tests.integration.harness import progressed, publish, ready, roles, settled
from tests.integration.test_exact import receipts
from tests.integration.test_stock_and_policy import everything
from tillstream import partitions_added, policy_log, topic_admin
from tillstream.migrate import check_migrated, migrate
from tillstream.waiting import admin

pytestmark = pytest.mark.integration


async def partitions(settings):
    async with admin(settings) as client:
        return await topic_admin.partition_counts(client, [spec.name for spec in topic_admin.wanted(settings)])


def test_topics_grow_together_under_load_and_stores_that_move_are_counted_right(
    migrated, environment, on_kafka, monkeypatch
):
    if not on_kafka:
        pytest.skip("the embedded broker adds no partitions: run with --kafka")
    sent = receipts(4_000, seed=41)
    waited, heard_by_all = {}, partitions_added.heard_by_all

    async def heard(client, partitions):
        waited.update(partitions)
        return await heard_by_all(client, partitions)

    monkeypatch.setattr(partitions_added, "heard_by_all", heard)
    more = migrated.model_copy(update={"partitions": 6})

    async def run():
        await ready(migrated)
        await publish(migrated, sent[:1_500])
        await progressed(migrated, 500)
        await policy_log.publish(migrated, policy_log.version([PolicySetting(lead_time=1.0)], 0), lambda _: None)
        report = await migrate(more, more_partitions=True)
        assert report.topics_grown[-1] == migrated.topic_prefix + topics.RECEIPTS
        assert waited == dict.fromkeys(report.topics_grown, 6), "every broker has heard of them"
        assert (await migrate(more, more_partitions=True)).topics_grown == [], "a second run changes nothing"
        await publish(more, sent[1_500:])
        return await settled(more, len(sent))

    with roles(environment, migrated, "worker", "sink") as (processes, _):
        report = asyncio.run(run())
        assert [process.poll() for process in processes] == [None, None], "those that ran have taken them up"
    assert report.counts["folded"] > 3_000
    told = [part for part, _, value in everything(more, topics.FEED) if value.startswith(b'{"type":"policies"')]
    assert told == list(range(6)), "the new partitions know the policies too"
    assert set(asyncio.run(partitions(more)).values()) == {1, 6}
    with roles(environment, more, "worker", "sink"):
        asyncio.run(publish(more, receipts(500, seed=42)))
        asyncio.run(settled(more, len(sent) + 500))
    with pytest.raises(Stop, match=r"has 6 partitions, not 4\.") as stopped:
        asyncio.run(check_migrated(migrated))
    assert "Set TILLSTREAM_PARTITIONS=6" in stopped.value.hint
    with pytest.raises(Stop, match="has 6 partitions, more than 4, and Kafka takes none away"):
        asyncio.run(migrate(migrated, more_partitions=True))


def test_a_broker_that_cannot_add_partitions_says_so(migrated, on_kafka):
    if on_kafka:
        pytest.skip("Apache Kafka can")
    with pytest.raises(Stop, match="This broker cannot add partitions to a topic"):
        asyncio.run(migrate(migrated.model_copy(update={"partitions": 6}), more_partitions=True))
