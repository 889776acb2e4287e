"""F2: SIGKILLs of the sink and of the embedded ClickHouse."""

from __future__ import annotations

import asyncio
import random

import pytest

from tests.faults.harness import judged, load, migrated_later
from tests.faults.load import receipts
from tests.integration.harness import progressed, ready, roles
from tillstream.local.launch import EmbeddedClickHouse, free_port
from tillstream.waiting import wait_for_clickhouse

pytestmark = [pytest.mark.integration, pytest.mark.timeout(1800)]


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
        asyncio.run(migrated_later(settings))
        with roles(environment, settings, "worker", "sink") as (processes, start):
            events, differences, took = asyncio.run(run(list(processes), start))
    finally:
        server.stop()
    table("F2", kills, events, differences, f"{took:.1f} s")
    assert (events, differences) == (len(sent), 0)
