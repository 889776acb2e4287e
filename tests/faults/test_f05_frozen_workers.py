"""F5: a worker is frozen beyond its session, another one takes over, the first wakes up, the second is killed.

    A  |--- folds ---[frozen in a flush][its session ends]--------[wakes: what it had sent lands]---- folds ---
    B                                   |--- folds all partitions ---------[changelog cleaned][SIGKILL]

On Apache Kafka the changelog compacts within a second, and the cleaner has run before A restores what B left.
"""

import asyncio
import random
import time
from contextlib import suppress

import psutil
import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType

from schemas import topics
from streams.failpoints import VARIABLE
from tests.faults.harness import feeder, judged
from tests.faults.load import receipts
from tests.faults.programs import SESSION, programs
from tests.integration.harness import progressed
from tests.kafka.server import KafkaServer
from tillstream import ch, kafka
from tillstream.local.launch import free_port
from tillstream.migrate import migrate
from tillstream.waiting import admin, wait_for_kafka

pytestmark = [pytest.mark.integration, pytest.mark.timeout(3600)]
# Seconds between what is sent, so that it is folded in several chunks.
PACE = 0.1
ALL = r"folding partitions 0, 1, 2, 3\n"
FREEZES = ["send.1.state", "send.1.windows", "acknowledged.2", "send.3.state", "acknowledged.3"]
QUICK_CLEANER = "log.cleaner.backoff.ms=100\n"
QUICK = {
    "cleanup.policy": "compact", "max.message.bytes": str(16 * topics.MIB), "segment.ms": "300",
    "min.cleanable.dirty.ratio": "0.001", "max.compaction.lag.ms": "500", "delete.retention.ms": "0",
}  # fmt: skip


async def compact_quickly(settings):
    name = topics.changelog_topic(settings.topic_prefix, 1)
    async with admin(settings) as client:
        await client.alter_configs([ConfigResource(ConfigResourceType.TOPIC, name, configs=QUICK)])


async def changelog(settings):
    """(offsets that are there, end) of each partition of the changelog."""
    found = {}
    async with AIOKafkaConsumer(**kafka.client_options(settings), **kafka.TO_THE_END) as consumer:
        name = topics.changelog_topic(settings.topic_prefix, 1)
        parts = [TopicPartition(name, at) for at in range(settings.partitions)]
        ends = await kafka.end_offsets(consumer, parts)
        for part in parts:
            consumer.assign([part])
            await consumer.seek_to_beginning(part)
            offsets = set()
            while await consumer.position(part) < ends[part]:
                offsets |= {r.offset for r in (await consumer.getmany(part, timeout_ms=200)).get(part, [])}
            found[part.partition] = offsets, ends[part]
    return found


async def cleaned(settings, since, feed, load):
    """Feed until the cleaner has removed records that came after `since` from every partition."""
    deadline = time.monotonic() + 60
    while True:
        await asyncio.sleep(PACE)
        await feed(load(60))  # a segment is cleaned only once another one is begun
        there = await changelog(settings)
        if all(set(range(since[at][1], end)) - offsets for at, (offsets, end) in there.items()):
            return
        assert time.monotonic() < deadline, "the cleaner has not run"


async def frozen(worker, feed, load):
    """Feed until the worker has frozen at its failpoint."""
    deadline = time.monotonic() + 30
    while psutil.Process(worker.pid).status() != psutil.STATUS_STOPPED:
        assert time.monotonic() < deadline
        await feed(load(60))
        await asyncio.sleep(PACE)


async def cycle(settings, start, feed, load, drawn, compacts):
    """One freeze; gives how long B needed to take over, in seconds."""
    variables = {VARIABLE: f"{drawn.choice(FREEZES)}:{drawn.randint(1, 6)}", "FAULTS_FREEZE": "1"}
    first = start("worker", variables)
    await first.says()
    await frozen(first, feed, load)
    begun = time.monotonic()
    since = await changelog(settings)
    second = start("worker")
    await second.says(ALL)
    took = time.monotonic() - begun
    assert took > SESSION / 2, "it took over because of the silence"
    await feed(load(200))
    await _judged_by(settings, load)
    times = first.times(ALL)
    first.thaw()
    if compacts:
        await cleaned(settings, since, feed, load)
    else:
        await asyncio.sleep(drawn.uniform(0, 1))  # the fault's own moment
    second.kill()
    await first.says(ALL, times=times + 1)
    await feed(load(60))
    await _judged_by(settings, load)
    first.stop()
    assert await first.ended(20)
    return took


async def _judged_by(settings, load):
    """Return once nearly all that was sent is counted, so that who folds has written its state."""
    await progressed(settings, load.sent * 0.95)


class Load:
    """Receipts, some at a time."""

    def __init__(self, sent) -> None:
        self._left = list(reversed(sent))
        self.sent = 0

    def __call__(self, many):
        assert len(self._left) >= many, "too few receipts for the test"
        self.sent += many
        return [self._left.pop() for _ in range(many)]


def test_f5_a_worker_that_wakes_up_after_another_took_over_spoils_nothing(
    settings, environment, full, table, tmp_path, on_kafka
):
    if not full and not on_kafka:
        pytest.skip("needs a changelog that compacts: run with --kafka")
    cycles = 20 if full else 2
    drawn = random.Random(5)
    load = Load(receipts(3_000 * cycles, seed=5, days=1.0 * cycles))
    server = KafkaServer(free_port(), tmp_path / "kafka", more=QUICK_CLEANER) if on_kafka else None
    if server is not None:
        server.start()
        settings = settings.model_copy(update={"kafka_url": f"kafka://127.0.0.1:{server.port}"})

    async def run(start):
        await wait_for_kafka(settings, 60)
        await migrate(settings)
        if on_kafka:
            await compact_quickly(settings)
        start("sink")
        slowest = 0.0
        async with feeder(settings) as feed:
            for _ in range(cycles):
                slowest = max(slowest, await cycle(settings, start, feed, load, drawn, on_kafka))
            start("worker")
            await feed(load(100))
        return *await judged(settings), slowest

    try:
        with programs(environment, settings, tmp_path / "programs") as start:
            events, differences, _, slowest = asyncio.run(run(start))
    finally:
        if server is not None:
            with suppress(Exception):
                server.stop()
    what = "frozen workers, compacted changelog" if on_kafka else ""
    table("F5", cycles, events, differences, f"{slowest:.1f} s", what)
    assert (events, differences) == (load.sent, 0)
    with ch.connect(settings) as client:
        assert client.query("SELECT count() > 0 FROM sales").result_rows == [(True,)]
