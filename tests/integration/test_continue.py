"""`tillstream continue`: the log was recreated, or retention took receipts that nobody had counted."""

from __future__ import annotations

import asyncio
import json

import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import RecordsToDelete

from schemas import topics
from schemas.errors import Stop
from tests.integration.harness import publish, ready, roles, settled
from tests.integration.programs import program
from tests.integration.test_exact import receipts
from tillstream import ch, kafka
from tillstream.local.supervisor import UNMENDABLE
from tillstream.migrate import migrate
from tillstream.rebuilding.evidence import gather
from tillstream.rebuilding.rebuild import rebuild
from tillstream.reconcile.run import reconcile
from tillstream.waiting import admin

pytestmark = pytest.mark.integration


def counted(settings):
    with ch.connect(settings) as client:
        query = "SELECT (SELECT sum(receipts) FROM receipt_counts), (SELECT sum(revenue) FROM sales)"
        return client.query(query).result_rows[0]


async def recreate(settings):
    """Somebody deletes `pos.receipts`; `migrate` makes it anew."""
    async with admin(settings) as client:
        await client.delete_topics([settings.topic_prefix + topics.RECEIPTS])
    await migrate(settings)


async def delete_half(settings):
    """What retention does: the first half of what nobody has counted yet goes; gives how many records that were."""
    topic, taken, upto = settings.topic_prefix + topics.RECEIPTS, 0, {}
    async with AIOKafkaConsumer(**kafka.client_options(settings)) as consumer:
        tps = [TopicPartition(topic, number) for number in range(settings.partitions)]
        for tp, end in (await kafka.end_offsets(consumer, tps)).items():
            start = await applied(settings, tp.partition) + 1
            upto[tp] = RecordsToDelete(start + (end - start) // 2)
            taken += (end - start) // 2
    async with admin(settings) as client:
        await client.delete_records(upto)
    return taken


async def applied(settings, partition):
    return (await gather(settings, 1))[partition].record.applied


def count(settings, environment, sent, epoch=1, stamp=None):
    """Publish and count receipts, and give the report on the newest epoch once all of it stands in ClickHouse."""

    async def run():
        await ready(settings, epoch)
        await publish(settings, sent, stamp=stamp)
        return await reconcile(settings, wait=90)

    with roles(environment, settings, "worker", "sink"):
        return asyncio.run(run())


@pytest.mark.parametrize(
    "many", [pytest.param(100, id="shorter"), pytest.param(1_500, id="grown past the old offsets")]
)
def test_after_the_topic_was_recreated_counting_goes_on_beside_what_was_counted(migrated, environment, command, many):
    count(migrated, environment, receipts(600, seed=31))
    before = counted(migrated)
    assert "nothing to continue" in command(migrated, "continue", code=1).err
    asyncio.run(recreate(migrated))
    new = receipts(many, seed=32)
    asyncio.run(publish(migrated, new))
    with program(["worker"], environment(migrated)) as worker:
        worker.says("`tillstream continue` goes on beside the figures that are there")
        assert worker.ends() == UNMENDABLE
    assert json.loads(command(migrated, "continue", "--json").out) == {"epoch": 2, "beside": [1], "skipped": {}}
    assert counted(migrated) == before, "what was counted stays"
    if many < 600:
        return  # the rest is the same
    report = count(migrated, environment, [], epoch=2)
    assert (report.different, report.inputs) == (0, many)
    after = counted(migrated)
    with ch.connect(migrated) as client:
        alone = "SELECT sum(receipts) FROM store_windows FINAL WHERE epoch = 2"
        assert after[0] - before[0] >= client.query(alone).result_rows[0][0] > 0
    assert after[1] != before[1]


def test_a_log_that_lost_only_its_end_is_rebuilt_since_the_rest_would_be_counted_twice(
    migrated, environment, command, on_kafka
):
    if on_kafka:
        pytest.skip("Kafka stamps what is published again, so that no end can be made to look lost")
    sent, stamp = receipts(600, seed=33), 1_800_000_000_000
    count(migrated, environment, sent, stamp=stamp)
    asyncio.run(recreate(migrated))
    asyncio.run(publish(migrated, sent[:300], stamp=stamp))
    refused = command(migrated, "continue", code=1).err
    assert "partitions 0, 1, 2, 3 still begin with receipts that were counted" in refused
    assert "tillstream rebuild" in refused
    with pytest.raises(Stop, match="is not the log that was counted: what was counted of receipts that it no longer"):
        asyncio.run(rebuild(migrated, lambda _: None))
    done = asyncio.run(rebuild(migrated, lambda _: None, accept_loss=True))
    assert (done.epoch.epoch, done.replaced, done.report.different, done.report.inputs) == (2, [1], 0, 300)
    asyncio.run(settled(migrated, 300))


def test_receipts_that_retention_took_uncounted_are_stepped_over(migrated, environment, command, on_kafka):
    if not on_kafka:
        pytest.skip("the embedded broker deletes no records: run with --kafka")
    count(migrated, environment, receipts(400, seed=34))
    asyncio.run(publish(migrated, receipts(800, seed=35)))
    taken = asyncio.run(delete_half(migrated))
    with program(["worker"], environment(migrated)) as worker:
        worker.says("retention removed the receipts from")
        assert worker.ends() == UNMENDABLE
    skipped = json.loads(command(migrated, "continue", "--json").out)["skipped"]
    assert sum(skipped.values()) == taken
    report = count(migrated, environment, receipts(100, seed=36))
    assert report.different == 0
    with ch.connect(migrated) as client:
        judged = client.query("SELECT sum(messages) FROM partition_counts").result_rows[0][0]
    assert judged == 400 + 800 + 100 - taken
