"""F3: SIGKILL of a worker after each operation of its flush, and of ClickHouse at each kind of write."""

import asyncio

import pytest

from streams.failpoints import POINTS, VARIABLE
from tests.faults.harness import feeder, judged
from tests.faults.load import Disorder, receipts
from tests.faults.programs import programs
from tests.faults.test_f01_workers_killed import killed

pytestmark = [pytest.mark.integration, pytest.mark.timeout(3600)]


def test_f3_a_worker_killed_after_any_operation_of_its_flush_leaves_it_exact_there(
    migrated, environment, full, table, tmp_path
):
    points = POINTS if full else ("send.1.state", "send.5.state")
    # Data passes grace while it is fed, so that the last points are reached.
    sent = receipts(4_000 * (len(points) + 1), seed=3, disorder=Disorder(malformed=0.01))
    wrong = {}

    async def run(start):
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
    assert (events, differences) == (len(sent), 0)
