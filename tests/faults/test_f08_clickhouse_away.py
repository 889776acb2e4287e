"""F8: ClickHouse does not answer, then is gone, while receipts go on arriving."""

import asyncio
import signal
from collections import Counter
from contextlib import asynccontextmanager

import psutil
import pytest

from tests.faults.harness import feeder, judged, migrated_later
from tests.faults.hooks import configured, delivered, ids_of, times
from tests.faults.load import receipts, receipts_of, with_stock
from tests.faults.programs import programs
from tests.faults.shelves import alerts_judged, alerts_of, rows_differ, set_levels
from tests.integration.harness import progressed
from tests.integration.webhooks import Receiver, states
from tillstream import ch
from tillstream.local.launch import EmbeddedClickHouse, free_port
from tillstream.waiting import wait_for_clickhouse

pytestmark = [pytest.mark.integration, pytest.mark.timeout(2400)]
LONGEST_LAG = 300.0
GROWTH = 1.5
# By then every store has sold something, and its shelves were counted.
STORES_COUNTED = 600


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


async def paced(feed, sent, seconds):
    """Publish at an even pace."""
    size = max(1, len(sent) // int(seconds * 5))
    for begin in range(0, len(sent), size):
        await asyncio.gather(feed(sent[begin : begin + size]), asyncio.sleep(1 / 5))  # the pace of the load


async def rows_of_deliveries_differ(settings):
    """How many webhooks the view shows otherwise than `webhook.deliveries` has them, or not once."""
    found = Counter((name, one.state) for name, one in (await states(settings)).items())
    with ch.connect(settings) as client:
        rows = client.query("SELECT webhook_id, state FROM webhook_deliveries FINAL").result_rows
    found.subtract(map(tuple, rows))
    return sum(map(abs, found.values()))


async def rows_are_there(settings, alerts):
    """Return once ClickHouse shows each state of each alert, and each webhook, once."""
    async with asyncio.timeout(60):
        while rows_differ(settings, alerts) or await rows_of_deliveries_differ(settings):  # noqa: ASYNC110  # no one tells
            await asyncio.sleep(0.2)


async def outage(settings, start, receiver, server, sent, away):
    """What `judged` gives, differences of alerts, and the most memory before and during it; its webhooks are judged."""
    before = len(sent) * 5 // 8
    await migrated_later(settings)
    await set_levels(settings)
    both = [start("worker"), start("sink")]
    await both[0].says()
    async with feeder(settings) as feed:
        async with largest(both) as normal:
            await feed(sent[:STORES_COUNTED])
            await alerts_judged(settings)  # every shelf is tracked: later its first windows would have closed
            await paced(feed, sent[STORES_COUNTED:before], away / 4)
            await progressed(settings, receipts_of(sent[:before]))
        known = ids_of(await alerts_of(settings))
        async with largest(both) as most:
            loading = asyncio.create_task(paced(feed, sent[before:], away))
            server.process.send_signal(signal.SIGSTOP)  # it takes connections and answers nothing
            await asyncio.sleep(away / 2)  # the fault's own length
            while_silent = ids_of(await alerts_of(settings)) - known
            await delivered(settings, while_silent, 20)
            server.process.kill()
            server.process.wait()
            await asyncio.sleep(away / 2)
            while_gone = ids_of(await alerts_of(settings)) - known - while_silent
            await delivered(settings, while_gone, 20)
            assert min(len(while_silent), len(while_gone)) > 20, "alerts came about while it was away"
            server.start()
            await wait_for_clickhouse(settings, 60)
            await loading
            result = await judged(settings)
    alerts, wrong = await alerts_judged(settings)
    await delivered(settings, ids_of(alerts))
    assert times(receiver) == dict.fromkeys(ids_of(alerts), 1)
    await rows_are_there(settings, alerts)
    assert all(program.alive for program in both)
    return *result, wrong, normal, most


def test_f8_clickhouse_away_under_load_is_lag_and_nothing_else(migrated, environment, full, table, tmp_path):
    """ClickHouse takes connections and is silent, then is gone, while receipts and movements go on.

    Alerts that come about meanwhile must reach a receiver while it is away. Afterwards every total is exact, and every
    alert and webhook is in ClickHouse, once; lag ends within 5 minutes, and memory stays below 1.5 times normal.
    """
    away = 600.0 if full else 16.0
    # Eight days of receipts, five of them before the outage: by then as many windows are open as ever will be.
    sent = with_stock(receipts(240_000 if full else 16_000, seed=8), seed=8, share=0.1)
    server = EmbeddedClickHouse("127.0.0.1", free_port(), tmp_path / "clickhouse", tmp_path / "clickhouse.log")
    server.start()
    url = type(migrated.clickhouse_url)(f"http://127.0.0.1:{server.port}/faults")

    async def run():
        async with Receiver() as receiver:
            own = migrated.model_copy(update={"clickhouse_url": url})
            settings, surroundings = configured(own, environment, tmp_path / "tillstream.toml", receiver)
            with programs(surroundings, settings, tmp_path / "programs") as start:
                return await outage(settings, start, receiver, server, sent, away)

    try:
        events, differences, took, alerts_differ, normal, most = asyncio.run(run())
    finally:
        server.stop()
    growth = sum(most) / sum(normal)
    what = f"ClickHouse away for {away:.0f} s; {sum(most) >> 20} MiB after {sum(normal) >> 20}"
    table("F8", 2, events, differences + alerts_differ, f"{took:.1f} s", what)
    assert (events, differences, alerts_differ) == (receipts_of(sent), 0, 0)
    assert took < LONGEST_LAG
    assert growth < GROWTH, f"worker and sink held {normal} bytes before, {most} then"
