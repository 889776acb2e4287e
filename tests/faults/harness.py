"""What the fault suite shares: a paced load, and the comparison with the oracle."""

from __future__ import annotations

from aiokafka import AIOKafkaConsumer, TopicPartition

from schemas.topics import RECEIPTS
from tests.faults.oracle import Oracle
from tillstream import ch, kafka
from tillstream.migrate import migrate
from tillstream.outgoing import Outgoing
from tillstream.reconcile.run import reconcile
from tillstream.replay import publish
from tillstream.waiting import wait_for_clickhouse

PATIENCE = 240.0


async def load(settings, sent, seconds):
    """Publish at an even pace, through whatever outage there is."""
    step = 1_000_000 * seconds / max(1, len(sent))
    paced = (Outgoing(store, int(number * step), value) for number, (store, value) in enumerate(sent))
    await publish(settings, paced, speed=1.0)


async def log_of(settings):
    """Every partition's messages, as Kafka has them."""
    found = []
    async with AIOKafkaConsumer(**kafka.client_options(settings)) as consumer:
        parts = [TopicPartition(settings.topic_prefix + RECEIPTS, n) for n in range(settings.partitions)]
        for part, end in (await kafka.end_offsets(consumer, parts)).items():
            consumer.assign([part])
            await consumer.seek_to_beginning(part)
            messages = []
            while await consumer.position(part) < end:
                messages += [r.value for r in (await consumer.getmany(part, timeout_ms=500)).get(part, [])]
            found.append(messages)
    return found


async def judged(settings):
    """(messages, differences by the oracle, seconds until everything was read); reconcile must agree with it."""
    report = await reconcile(settings, wait=PATIENCE)
    oracle = Oracle(settings.window, settings.grace)
    log = await log_of(settings)
    for messages in log:
        oracle.take(messages)
    with ch.connect(settings) as client:
        differences = oracle.differences(client)
    assert (differences == 0) == (report.different == 0), f"oracle: {differences}, reconcile: {report.different}"
    return sum(map(len, log)), differences, report.waited


async def migrated_later(settings):
    """Topics and tables at a ClickHouse that has only just been started."""
    await wait_for_clickhouse(settings, 30)
    await migrate(settings)
