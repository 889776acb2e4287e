"""The lag of the groups, as the broker knows it."""

from __future__ import annotations

import asyncio

import pytest

from schemas import topics
from tests.integration.harness import publish
from tests.integration.test_exact import receipts
from tillstream.consumer_lag import measure

pytestmark = pytest.mark.integration


def test_what_nobody_has_read_is_lag_of_those_who_should_and_of_no_one_else(migrated):
    sent = receipts(300, seed=11)

    async def run():
        before = await measure(migrated, 1)
        await publish(migrated, sent)
        return before, await measure(migrated, 1)

    before, after = asyncio.run(run())
    epochs = migrated.topic_prefix + topics.EPOCHS
    assert {lag.records for lag in before if lag.topic != epochs} == {0}
    by_group = {}
    for lag in after:
        by_group[lag.group, lag.topic] = by_group.get((lag.group, lag.topic), 0) + lag.records
    prefix = migrated.topic_prefix
    assert by_group == {
        (topics.group_id(prefix, 1, "worker"), prefix + topics.RECEIPTS): 300,
        (topics.group_id(prefix, 1, "ledger"), prefix + topics.RECEIPTS): 300,
        (topics.group_id(prefix, 1, "clickhouse"), prefix + topics.WINDOWS): 0,
        (topics.group_id(prefix, 1, "clickhouse"), prefix + topics.LATE): 0,
        (topics.group_id(prefix, 1, "clickhouse"), prefix + topics.REJECTED): 0,
        (topics.group_id(prefix, 1, "clickhouse"), epochs): 1,
    }
    assert len({lag.partition for lag in after}) == migrated.partitions
