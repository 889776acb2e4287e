"""F9: Kafka killed and restarted; its log is durable."""

from __future__ import annotations

import asyncio
from contextlib import suppress

import pytest

from tests.faults.harness import judged, load
from tests.faults.load import receipts
from tests.integration.harness import progressed, ready, roles
from tests.kafka.server import KafkaServer
from tillstream.local.launch import free_port
from tillstream.migrate import migrate
from tillstream.waiting import wait_for_kafka

pytestmark = [pytest.mark.integration, pytest.mark.timeout(1800)]


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
