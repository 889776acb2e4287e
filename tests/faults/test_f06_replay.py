"""F6: the log read again from its first offset, with state and without, and by machines whose clocks are wrong."""

import asyncio
import random
import time
from datetime import UTC, datetime, timedelta

import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.coordinator.assignors.roundrobin import RoundRobinPartitionAssignor
from aiokafka.structs import OffsetAndMetadata

from schemas import topics
from tests.faults.clock import WrongClock
from tests.faults.harness import feeder, judged, sales
from tests.faults.load import receipts
from tests.faults.programs import programs
from tillstream import kafka
from tillstream.groups import groups_of
from tillstream.migrate import migrate
from tillstream.waiting import admin

pytestmark = [pytest.mark.integration, pytest.mark.timeout(1800)]
AHEAD = timedelta(days=400)


class AsFaust(RoundRobinPartitionAssignor):
    """Faust's by name: the embedded broker lets nobody with another assignor into a group that has had one."""

    name = "faust"


async def commit_zero(settings):
    """Have the worker's group, which nobody is in, begin at the first offset again."""
    parts = [TopicPartition(settings.topic_prefix + topics.RECEIPTS, at) for at in range(settings.partitions)]
    [group] = groups_of(settings, "worker", 1)
    options = {**kafka.client_options(settings), "group_id": group, "enable_auto_commit": False}
    options["partition_assignment_strategy"] = [AsFaust]
    # As a member: the embedded broker takes commits from nobody else.
    async with AIOKafkaConsumer(settings.topic_prefix + topics.RECEIPTS, **options) as consumer:
        async with asyncio.timeout(60):
            while consumer.assignment() != set(parts):
                await consumer.getmany(timeout_ms=100, max_records=1)
        await consumer.commit({part: OffsetAndMetadata(0, "") for part in parts})


async def forget(settings):
    """Lose the changelog: delete it, and have it made anew, empty."""
    name = topics.changelog_topic(settings.topic_prefix, 1)
    async with admin(settings) as client:
        await client.delete_topics([name])
        async with asyncio.timeout(30):
            while name in await client.list_topics():  # noqa: ASYNC110  # the broker has no way to tell
                await asyncio.sleep(0.1)
    await migrate(settings)


async def started(start, variables=None):
    """A worker that has its partitions, and a sink."""
    worker, sink = start("worker", variables), start("sink", variables)
    await worker.says()
    return worker, sink


async def ended(*running):
    for program in running:
        program.stop()
    for program in running:
        assert await program.ended(20)


@pytest.mark.parametrize("state", [pytest.param(True, id="with state"), pytest.param(False, id="without state")])
def test_f6_a_replay_from_the_first_offset_changes_nothing(migrated, environment, full, table, tmp_path, state):
    sent = receipts(60_000 if full else 6_000, seed=6)
    half = len(sent) // 2

    async def run(start):
        async with feeder(migrated) as feed:
            running = await started(start)
            await feed(sent[:half])
            await judged(migrated)
            before = sales(migrated)
            await ended(*running)
            await (commit_zero if state else forget)(migrated)
            if not state:
                await commit_zero(migrated)
            worker, _ = await started(start)
            await judged(migrated)
            assert sales(migrated) == before
            await feed(sent[half:])
            result = await judged(migrated)
            assert worker.alive
            return result

    with programs(environment, migrated, tmp_path / "programs") as start:
        events, differences, took = asyncio.run(run(start))
    table("F6", 1, events, differences, f"{took:.1f} s", f"replay {'with' if state else 'without'} state")
    assert (events, differences) == (len(sent), 0)


def test_f6_a_replay_with_the_clock_400_days_ahead_is_exact(migrated, environment, full, table, tmp_path):
    sent = receipts(60_000 if full else 6_000, seed=66)
    clock = WrongClock(tmp_path)
    clock.jump(AHEAD)

    async def run(start):
        async with feeder(migrated) as feed:
            await feed(sent)
        for program in await started(start, clock.variables):
            await program.says(rf"clock {(datetime.now(UTC) + AHEAD).year}-")
        return await judged(migrated)

    with programs(environment, migrated, tmp_path / "programs") as start:
        events, differences, took = asyncio.run(run(start))
    table("F6", 1, events, differences, f"{took:.1f} s", "replay with the clock 400 days ahead")
    assert (events, differences) == (len(sent), 0)


def test_f6_a_clock_that_jumps_by_hours_changes_nothing(migrated, environment, full, table, tmp_path):
    sent = receipts(60_000 if full else 6_000, seed=666)
    drawn = random.Random(6)
    jumps = 30 if full else 6
    clock = WrongClock(tmp_path)

    async def run(start):
        worker, sink = await started(start, clock.variables)
        size = len(sent) // jumps + 1
        async with feeder(migrated) as feed:
            for at in range(jumps):
                ahead = timedelta(hours=drawn.choice([-30, -5, -1, 0, 1, 5, 30]))
                clock.jump(ahead)
                feeding = asyncio.create_task(feed(sent[at * size : (at + 1) * size]))
                expected = datetime.fromtimestamp(time.time(), UTC) + ahead
                for program in (worker, sink):
                    await program.says(rf"clock ({expected:%Y-%m-%dT%H}|{expected + timedelta(minutes=1):%Y-%m-%dT%H})")
                await feeding
        result = await judged(migrated)
        assert worker.alive
        assert sink.alive
        return result

    with programs(environment, migrated, tmp_path / "programs") as start:
        events, differences, took = asyncio.run(run(start))
    table("F6", jumps, events, differences, f"{took:.1f} s", "the clock jumps by hours")
    assert (events, differences) == (len(sent), 0)
