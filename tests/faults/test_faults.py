"""Faults injected into real processes under load; what comes out is compared with an oracle that shares no code."""

from __future__ import annotations

import asyncio
import random
from contextlib import suppress

import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition

from schemas.topics import RECEIPTS
from tests.faults.load import Disorder, receipts
from tests.faults.oracle import Oracle
from tests.integration.harness import progressed, ready, roles
from tests.kafka.server import KafkaServer
from tillstream import ch, kafka
from tillstream.local.launch import EmbeddedClickHouse, free_port
from tillstream.migrate import migrate
from tillstream.outgoing import Outgoing
from tillstream.reconcile.run import reconcile
from tillstream.replay import publish
from tillstream.waiting import wait_for_clickhouse, wait_for_kafka

pytestmark = [pytest.mark.integration, pytest.mark.timeout(1800)]
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


def test_f7_late_repeated_and_shuffled_receipts_are_exact(migrated, environment, full, table):
    sent = receipts(100_000 if full else 12_000, seed=7)

    async def run():
        await ready(migrated)
        await load(migrated, sent, 1)
        return await judged(migrated)

    with roles(environment, migrated, "worker", "sink"):
        events, differences, took = asyncio.run(run())
    table("F7", len(sent) // 10, events, differences, f"{took:.1f} s")
    assert (events, differences) == (len(sent), 0)


def test_f12_malformed_receipts_among_good_ones_are_dead_letters(migrated, environment, full, table):
    many = 12_000
    sent = receipts(2 * many if full else many, seed=12, disorder=Disorder(malformed=0.5))

    async def run(processes):
        await ready(migrated)
        await load(migrated, sent, 1)
        result = await judged(migrated)
        assert [process.poll() for process in processes] == [None, None], "both are alive"
        return result

    with roles(environment, migrated, "worker", "sink") as (processes, _):
        events, differences, took = asyncio.run(run(processes))
    with ch.connect(migrated) as client:
        letters, cards = client.query(
            "SELECT uniqExact(partition, offset), countIf(position(ifNull(value, ''), '4111 1111') > 0) FROM rejected"
        ).result_rows[0]
        counted = client.query("SELECT sum(messages) FROM partition_counts WHERE result = 'rejected'").result_rows[0][0]
    table("F12", letters, events, differences, f"{took:.1f} s")
    assert differences == 0
    assert letters == counted > many * 0.45
    assert cards == 0


def test_f2_sigkills_of_the_sink_and_of_clickhouse_lose_and_double_nothing(
    migrated, environment, full, table, tmp_path
):
    kills = 100 if full else 8
    sent = receipts(60_000 if full else 12_000, seed=2)
    drawn = random.Random(2)
    server = EmbeddedClickHouse("127.0.0.1", free_port(), tmp_path / "clickhouse", tmp_path / "clickhouse.log")
    server.start()
    url = type(migrated.clickhouse_url)(f"http://127.0.0.1:{server.port}/faults")
    settings = migrated.model_copy(update={"clickhouse_url": url})

    async def run(processes, start):
        await wait_for_clickhouse(settings, 30)
        await ready(settings)
        loading = asyncio.create_task(load(settings, sent, kills * 1.5))
        await progressed(settings, 100)
        for _ in range(kills):
            await asyncio.sleep(drawn.uniform(0.2, 1.5))  # the fault's own moment, by seed
            if drawn.random() < 0.5:
                processes[-1].kill()
                processes[-1].wait()
                processes.append(start("sink"))
            else:
                server.process.kill()
                server.process.wait()
                server.start()
        await loading
        await wait_for_clickhouse(settings, 30)
        return await judged(settings)

    try:
        asyncio.run(_migrated(settings))
        with roles(environment, settings, "worker", "sink") as (processes, start):
            events, differences, took = asyncio.run(run(list(processes), start))
    finally:
        server.stop()
    table("F2", kills, events, differences, f"{took:.1f} s")
    assert (events, differences) == (len(sent), 0)


async def _migrated(settings):
    await wait_for_clickhouse(settings, 30)
    await migrate(settings)


def test_f9_kafka_killed_and_restarted_under_load_is_waited_out(migrated, environment, full, table, tmp_path, on_kafka):
    if not on_kafka:
        pytest.skip("needs a broker whose log outlives it: run with --kafka")
    kills = 10 if full else 3
    sent = receipts(40_000 if full else 10_000, seed=9)
    server = KafkaServer(free_port(), tmp_path / "kafka")
    server.start()
    settings = migrated.model_copy(
        update={
            "kafka_url": f"kafka://127.0.0.1:{server.port}",
            "clickhouse_url": type(migrated.clickhouse_url)(migrated.clickhouse_url.get_secret_value() + "_f9"),
        }
    )

    async def run():
        await wait_for_kafka(settings, 30)
        await migrate(settings)
        start("worker")
        start("sink")
        await ready(settings)
        loading = asyncio.create_task(load(settings, sent, kills * 4))
        await progressed(settings, 50)
        for _ in range(kills):
            await asyncio.sleep(2.0)  # the fault's own pace
            server.process.kill()
            server.process.wait()
            await asyncio.to_thread(server.start)
        await loading
        return await judged(settings)

    try:
        with roles(environment, settings) as (_, start):
            events, differences, took = asyncio.run(run())
    finally:
        with suppress(Exception):
            server.stop()
    table("F9", kills, events, differences, f"{took:.1f} s")
    assert differences == 0
    assert events >= len(sent), "a repeated batch may stand twice in the log, none may be missing"
