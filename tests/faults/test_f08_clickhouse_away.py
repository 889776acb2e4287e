"""F8: ClickHouse does not answer, then is gone, while receipts go on arriving."""

import asyncio
import signal
from contextlib import asynccontextmanager

import psutil
import pytest

from tests.faults.harness import judged, load, migrated_later
from tests.faults.load import receipts
from tests.faults.programs import programs
from tests.integration.harness import progressed
from tillstream.local.launch import EmbeddedClickHouse, free_port
from tillstream.waiting import wait_for_clickhouse

pytestmark = [pytest.mark.integration, pytest.mark.timeout(2400)]
LONGEST_LAG = 300.0
GROWTH = 1.5


@asynccontextmanager
async def largest(programs):
    """Gives a list that holds, at the end, the most that each process had resident meanwhile, in bytes."""
    most = [0] * len(programs)

    async def watch():
        while True:
            for at, program in enumerate(programs):
                most[at] = max(most[at], psutil.Process(program.pid).memory_info().rss)
            await asyncio.sleep(0.2)  # the pace of sampling

    watching = asyncio.create_task(watch())
    try:
        yield most
    finally:
        watching.cancel()


def test_f8_clickhouse_away_under_load_is_lag_and_nothing_else(migrated, environment, full, table, tmp_path):
    away = 600.0 if full else 16.0
    # Eight days of receipts, five of them before the outage: by then as many windows are open as ever will be.
    sent = receipts(240_000 if full else 16_000, seed=8)
    before = len(sent) * 5 // 8
    server = EmbeddedClickHouse("127.0.0.1", free_port(), tmp_path / "clickhouse", tmp_path / "clickhouse.log")
    server.start()
    url = type(migrated.clickhouse_url)(f"http://127.0.0.1:{server.port}/faults")
    settings = migrated.model_copy(update={"clickhouse_url": url})

    async def run(start):
        await migrated_later(settings)
        both = [start("worker"), start("sink")]
        await both[0].says()
        async with largest(both) as normal:
            await load(settings, sent[:before], away / 4)
            await progressed(settings, before)
        async with largest(both) as most:
            loading = asyncio.create_task(load(settings, sent[before:], away))
            server.process.send_signal(signal.SIGSTOP)  # it takes connections and answers nothing
            await asyncio.sleep(away / 2)  # the fault's own length
            server.process.kill()
            server.process.wait()
            await asyncio.sleep(away / 2)
            server.start()
            await wait_for_clickhouse(settings, 60)
            await loading
            result = await judged(settings)
        assert all(program.alive for program in both)
        return *result, normal, most

    try:
        with programs(environment, settings, tmp_path / "programs") as start:
            events, differences, took, normal, most = asyncio.run(run(start))
    finally:
        server.stop()
    growth = sum(most) / sum(normal)
    what = f"ClickHouse away for {away:.0f} s; {sum(most) >> 20} MiB after {sum(normal) >> 20}"
    table("F8", 2, events, differences, f"{took:.1f} s", what)
    assert (events, differences) == (len(sent), 0)
    assert took < LONGEST_LAG
    assert growth < GROWTH, f"worker and sink held {normal} bytes before, {most} then"
