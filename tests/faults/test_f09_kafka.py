"""F9: Kafka killed and restarted, one node of three at a time too; connections reset, and answers that are slow."""

from __future__ import annotations

import asyncio
import random
from contextlib import suppress

import pytest
from aiokafka.errors import KafkaError

from schemas.errors import Unavailable
from tests.faults.harness import judged, load
from tests.faults.load import receipts
from tests.integration.harness import progressed, ready, roles
from tests.kafka.server import KafkaServer, cluster_of
from tests.proxy import Proxy
from tillstream.local.broker import EmbeddedBroker
from tillstream.local.launch import free_port
from tillstream.migrate import migrate
from tillstream.waiting import admin, wait_for_kafka

MAY_BE_TWICE = "a repeated batch may stand twice in the log, none may be missing"
NEEDS_KAFKA = "needs a broker whose log outlives it: run with --kafka"
pytestmark = [pytest.mark.integration, pytest.mark.timeout(1800)]


def test_f9_kafka_killed_and_restarted_under_load_is_waited_out(migrated, environment, full, table, tmp_path, on_kafka):
    if not on_kafka:
        pytest.skip(NEEDS_KAFKA)
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
    assert events >= len(sent), MAY_BE_TWICE


async def in_sync(settings, copies):
    """Return once every partition has so many copies that are up to date."""
    async with asyncio.timeout(90):
        while True:
            with suppress(Unavailable, KafkaError):
                async with admin(settings) as client:
                    topics = await client.describe_topics()
                    if all(len(part["isr"]) == copies for topic in topics for part in topic["partitions"]):
                        return
            await asyncio.sleep(0.2)  # a broker has no way to tell


def test_f9_one_node_of_three_killed_at_a_time_loses_nothing_that_was_acknowledged(
    settings, environment, full, table, tmp_path, on_kafka
):
    if not on_kafka:
        pytest.skip(NEEDS_KAFKA)
    kills = 10 if full else 3
    sent = receipts(40_000 if full else 10_000, seed=93)
    nodes = cluster_of(3, tmp_path / "kafka")
    settings = settings.model_copy(
        update={"kafka_url": "kafka://" + ",".join(f"127.0.0.1:{node.port}" for node in nodes)}
    )

    async def run(start):
        await wait_for_kafka(settings, 60)
        await migrate(settings)
        await in_sync(settings, 3)
        start("worker")
        start("sink")
        await ready(settings)
        loading = asyncio.create_task(load(settings, sent, kills * 6))
        await progressed(settings, 50)
        for kill in range(kills):
            node = nodes[kill % len(nodes)]
            node.process.kill()
            node.process.wait()
            await asyncio.sleep(2.0)  # the fault's own length
            await asyncio.to_thread(node.start)
            await in_sync(settings, 3)
        await loading
        return await judged(settings)

    try:
        with roles(environment, settings) as (_, start):
            events, differences, took = asyncio.run(run(start))
    finally:
        for node in nodes:
            with suppress(Exception):
                node.stop()
    table("F9", kills, events, differences, f"{took:.1f} s", "one node of three killed at a time")
    assert differences == 0
    assert events >= len(sent), MAY_BE_TWICE


def broker_behind(port, advertised, folder, on_kafka):
    """A broker whose clients are told to come to another port."""
    if on_kafka:
        return KafkaServer(port, folder, advertised)
    server = EmbeddedBroker("127.0.0.1", port, folder / "broker.log")
    server.argv[server.argv.index("--advertised-listener-url") + 1] = f"tcp://127.0.0.1:{advertised}"
    return server


@pytest.mark.parametrize("resets", [pytest.param(True, id="resets"), pytest.param(False, id="latency")])
def test_f9_connections_that_are_reset_or_slow_are_waited_out(
    settings, environment, full, table, tmp_path, on_kafka, resets
):
    if not resets and not full:
        pytest.skip("takes minutes: run by make faults")
    many = (100 if full else 6) if resets else 1
    latency = 0.0 if resets else 0.5
    sent = receipts(30_000 if full else 6_000, seed=94)
    drawn = random.Random(94)
    port = free_port()
    cut = 0

    async def run(start, behind):
        nonlocal cut
        await wait_for_kafka(behind, 60)
        await migrate(behind)
        start("worker")
        start("sink")
        await ready(behind)
        loading = asyncio.create_task(load(behind, sent, many * 1.5 if resets else 10))
        await progressed(behind, 50)
        for _ in range(many if resets else 0):
            await asyncio.sleep(drawn.uniform(0.2, 2))  # the fault's own moment
            cut += await proxy.reset()
        await loading
        return await judged(behind)

    async def between():
        nonlocal proxy
        async with Proxy(port, latency=latency) as proxy:
            server = broker_behind(port, proxy.port, tmp_path / "broker", on_kafka)
            await asyncio.to_thread(server.start)
            try:
                behind = settings.model_copy(update={"kafka_url": f"kafka://127.0.0.1:{proxy.port}"})
                with roles(environment, behind) as (_, start):
                    return await run(start, behind)
            finally:
                await asyncio.to_thread(server.stop)

    proxy = None
    events, differences, took = asyncio.run(between())
    what = f"{cut} connections reset" if resets else f"answers take {latency * 1000:.0f} ms"
    table("F9", many, events, differences, f"{took:.1f} s", what)
    assert differences == 0
    assert events >= len(sent), MAY_BE_TWICE
    assert not resets or cut >= many * 4, "worker and sink have several connections each"
