"""What the fault suite shares: a paced load, and the comparison with the oracle."""

from __future__ import annotations

import itertools
import sys
from contextlib import asynccontextmanager

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

from schemas.topics import MIB, RECEIPTS, STOCK
from tests.faults.load import is_movement
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


async def log_of(settings, topic=RECEIPTS):
    """Every partition's messages, as Kafka has them."""
    found = []
    sizes = {"max_partition_fetch_bytes": 8 * MIB, "fetch_max_bytes": 64 * MIB}
    async with AIOKafkaConsumer(**kafka.client_options(settings), **sizes) as consumer:
        parts = [TopicPartition(settings.topic_prefix + topic, n) for n in range(settings.partitions)]
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
    for difference in report.differences:
        sys.stdout.write(f"{difference}\n")  # pytest shows it where the test fails
    assert (differences == 0) == (report.different == 0), f"oracle: {differences}, reconcile: {report.different}"
    return sum(map(len, log)), differences, report.waited


async def migrated_later(settings):
    """Topics and tables at a ClickHouse that has only just been started."""
    await wait_for_clickhouse(settings, 30)
    await migrate(settings)


@asynccontextmanager
async def feeder(settings, place=lambda store, number: None):
    """Gives a function that publishes receipts and movements at once and returns when all are acknowledged.

    `place` names the partition of the store's receipt that is sent as number so and so; None leaves it to the key.
    """
    count = itertools.count()
    async with AIOKafkaProducer(**kafka.client_options(settings), linger_ms=5, acks="all") as producer:

        async def feed(sent):
            for store, value in sent:
                partition = place(store, next(count))
                topic = settings.topic_prefix + (STOCK if is_movement(value) else RECEIPTS)
                await producer.send(topic, value, key=store.encode(), partition=partition)
            await producer.flush()

        yield feed


def sales(settings):
    """Every row of the view, in order."""
    with ch.connect(settings) as client:
        return client.query("SELECT * FROM sales ORDER BY store_id, sku, currency, window_start").result_rows
