"""F3: SIGKILL of a worker after each operation of its flush, and of ClickHouse at each kind of write."""

import asyncio
import itertools
import random
import shutil
from contextlib import contextmanager
from datetime import timedelta

import psutil
import pytest

from streams.failpoints import POINTS, VARIABLE
from tests.faults.harness import feeder, judged, migrated_later
from tests.faults.load import Disorder, receipts, receipts_of, with_stock
from tests.faults.programs import programs
from tests.faults.shelves import alerts_judged, set_levels
from tests.faults.test_f01_workers_killed import killed
from tillstream.local.launch import EmbeddedClickHouse, free_port
from tillstream.migrate import migrate
from tillstream.waiting import wait_for_clickhouse

pytestmark = [pytest.mark.integration, pytest.mark.timeout(3600)]


def test_f3_a_worker_killed_after_any_operation_of_its_flush_leaves_it_exact_there(
    migrated, environment, at_length, full, table, tmp_path
):
    points = POINTS if full else ("send.1.state", "send.5.state")
    # Data passes grace while it is fed, so that the last points are reached.
    sent = with_stock(receipts(3_200 * (len(points) + 1), seed=3, disorder=Disorder(malformed=0.01)), seed=3)
    wrong = {}

    async def run(start):
        await set_levels(migrated)
        start("sink")
        left = iter(sent)
        async with feeder(migrated) as feed:
            for point in points:
                worker = start("worker", {VARIABLE: f"{point}:2"})
                await worker.says()
                await killed(feed, {worker: point}, left, 4_000, None)
                # Who goes on has only what the dead one left: judged before the next one dies.
                successor = start("worker")
                wrong[point] = (await judged(migrated))[1]
                successor.stop()
                assert await successor.ended(20)
            start("worker")
            await feed(list(left))
        return await judged(migrated)

    with programs(environment, migrated, tmp_path / "programs") as start:
        events, differences, took = asyncio.run(run(start))
    differences += sum(wrong.values())
    table("F3", len(points), events, differences, f"{took:.1f} s", "worker killed between any two operations")
    assert wrong == dict.fromkeys(points, 0)
    assert (events, differences) == (receipts_of(sent), 0)


def test_f3_a_worker_killed_as_it_tells_the_feed_leaves_sums_and_alerts_exact(
    settings, environment, full, table, tmp_path
):
    """SIGKILL right after a chunk's sales were sent to restock.feed, of which Kafka may have all, some or nothing.

    Who goes on tells them again. Every total must be exact, and every alert one that the log makes due, once.
    """
    kills = 10 if full else 2
    sent = with_stock(receipts(1_500 * (kills + 1), seed=31, days=3.0), seed=31)
    # Of windows that close before a worker has read its feed nobody tells, and here days pass in seconds.
    settings = settings.model_copy(update={"grace": timedelta(days=30)})

    async def run(start):
        await migrate(settings)
        await set_levels(settings)
        start("sink")
        left = iter(sent)
        async with feeder(settings) as feed:
            for number in range(kills):
                worker = start("worker", {VARIABLE: f"send.1.feed:{2 + 3 * number}"})
                await worker.says()
                await killed(feed, {worker: "send.1.feed"}, left, 1_500, None)
            start("worker")
            await feed(list(left))
        return *await judged(settings), *await alerts_judged(settings)

    with programs(environment, settings, tmp_path / "programs") as start:
        events, differences, took, alerts, alerts_differ = asyncio.run(run(start))
    what = f"worker killed as it tells the feed; {len(alerts):,} alerts"
    table("F3", kills, events, differences + alerts_differ, f"{took:.1f} s", what)
    assert (events, differences, alerts_differ) == (receipts_of(sent), 0, 0)
    assert len(alerts) > 100, "there is little to be wrong about"


# The system calls that ClickHouse writes with (it syncs nothing), and up to which one of them it lives. An insert is
# some 17 writes, and one of the others.
CALLS = {"write": 250, "rename": 8, "mkdir": 8, "unlink": 8}


@contextmanager
def traced(server):
    """Start ClickHouse so that it is killed by a call: gives start(call, time); the last one is ended at the end."""
    argv = server.argv

    def start(call="", time=0):
        inject = ["strace", "-f", "-qq", "-o", "/dev/null", "-e", f"inject={call}:signal=SIGKILL:when={time}"]
        server.argv = [*inject, *argv] if call else argv
        server.start()

    try:
        yield start
    finally:
        for child in psutil.Process(server.process.pid).children(recursive=True):
            child.kill()  # strace would let it go on
        server.stop()


def test_f3_clickhouse_killed_at_any_of_its_writes_has_all_that_it_acknowledged(
    migrated, environment, at_length, full, table, tmp_path
):
    if shutil.which("strace") is None:
        pytest.skip("needs strace, which kills a process at a system call")
    drawn = random.Random(33)
    kills = [(call, drawn.randint(1, most)) for call, most in CALLS.items() for _ in range(25 if full else 1)]
    drawn.shuffle(kills)
    sent = receipts(1_500 * len(kills), seed=33, disorder=Disorder(malformed=0.01))
    server = EmbeddedClickHouse("127.0.0.1", free_port(), tmp_path / "clickhouse", tmp_path / "clickhouse.log")
    url = type(migrated.clickhouse_url)(f"http://127.0.0.1:{server.port}/faults")
    settings = migrated.model_copy(update={"clickhouse_url": url})

    async def run(start, clickhouse):
        clickhouse()
        await migrated_later(settings)
        worker, sink = start("worker"), start("sink")
        await worker.says()
        left = iter(sent)
        async with feeder(settings) as feed:
            for call, time in kills:
                server.stop()
                clickhouse(call, time)
                async with asyncio.timeout(120):
                    while server.process.poll() is None:
                        await feed(list(itertools.islice(left, 40)))
                        await asyncio.sleep(0.3)  # the load's own pace: an insert each
            clickhouse()
            await wait_for_clickhouse(settings, 60)
            await feed(list(left))
        result = await judged(settings)
        assert worker.alive
        assert sink.alive
        return result

    with traced(server) as clickhouse, programs(environment, settings, tmp_path / "programs") as start:
        events, differences, took = asyncio.run(run(start, clickhouse))
    table("F3", len(kills), events, differences, f"{took:.1f} s", "ClickHouse killed at writes, renames, unlinks")
    assert (events, differences) == (len(sent), 0)
