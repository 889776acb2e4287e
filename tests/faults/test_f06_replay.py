"""F6: the log read again from its first offset, with state and without, and by machines whose clocks are wrong."""

import asyncio
import random
import time
from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.coordinator.assignors.roundrobin import RoundRobinPartitionAssignor
from aiokafka.structs import OffsetAndMetadata

from schemas import topics
from tests.faults.clock import WrongClock
from tests.faults.harness import feeder, judged, sales
from tests.faults.hooks import configured, delivered, ids_of, times
from tests.faults.load import receipts, receipts_of, with_stock
from tests.faults.programs import programs
from tests.faults.shelves import alerts_judged, set_levels
from tests.integration.webhooks import Receiver
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


@pytest.mark.parametrize("way", ["with state", "without state", "without state, the clock 400 days ahead"])
def test_f6_a_replay_from_the_first_offset_changes_nothing(migrated, environment, full, table, tmp_path, way):
    """Receipts, movements and the feed are read again from their first offsets, and the alerts by the sender.

    No total may change, no alert come a second time, and no webhook under any id. What is published afterwards must
    bring about what the log makes due: so it is seen that all of this was at work.
    """
    # Within the grace: of windows that close before a worker has read its feed, nobody tells (DESIGN.md, Restock).
    sent = with_stock(receipts(60_000 if full else 5_000, seed=6, days=3.5), seed=6)
    half = len(sent) // 2
    clock = None
    if way.endswith("ahead"):
        clock = WrongClock(tmp_path)
        clock.jump(AHEAD)

    async def run():
        async with Receiver() as receiver:
            settings, surroundings = configured(migrated, environment, tmp_path / "tillstream.toml", receiver)
            with programs(surroundings, settings, tmp_path / "programs") as start:
                return await replayed(settings, start, receiver)

    async def replayed(settings, start, receiver):
        await set_levels(settings)
        async with feeder(settings) as feed:
            running = await started(start)
            await feed(sent[:half])
            await judged(settings)
            alerts, wrong = await alerts_judged(settings)
            await delivered(settings, ids_of(alerts))
            before, told = sales(settings), times(receiver)
            await ended(*running)
            if way != "with state":
                await forget(settings)
            await commit_zero(settings)
            worker, _ = await started(start, clock.variables if clock else None)
            await judged(settings)
            assert sales(settings) == before
            again, wrong_again = await alerts_judged(settings)
            assert sorted(map(repr, again)) == sorted(map(repr, alerts)), "an alert of before came again"
            await feed(sent[half:])
            result = await judged(settings)
            after, wrong_after = await alerts_judged(settings)
            await delivered(settings, ids_of(after))
            assert worker.alive
        assert told == dict.fromkeys(ids_of(alerts), 1)
        assert len(ids_of(after)) > len(told) > 50, "there is little to be repeated"
        extra = sum((times(receiver) - Counter(ids_of(after))).values())
        missing = len(ids_of(after) - times(receiver).keys())
        return *result, wrong + wrong_again + wrong_after, extra + missing

    events, differences, took, alerts_differ, hooks_differ = asyncio.run(run())
    table("F6", 1, events, differences + alerts_differ + hooks_differ, f"{took:.1f} s", f"replay {way}")
    assert (events, differences) == (receipts_of(sent), 0)
    assert (alerts_differ, hooks_differ) == (0, 0)


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
