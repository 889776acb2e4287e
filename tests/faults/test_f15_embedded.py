"""F15: `up` stopped and started, all of it killed at once, its broker killed alone; a producer never stops."""

from __future__ import annotations

import asyncio
import os
import random
import signal
import time
from contextlib import asynccontextmanager, suppress

import psutil
import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition

from schemas.topics import RECEIPTS
from tests.conftest import REPOSITORY
from tests.faults.load import receipts
from tests.faults.oracle import Oracle
from tests.integration.journals import journaled
from tests.integration.programs import Program, none_left
from tillstream import ch, kafka
from tillstream.local.launch import free_port, settings_environment
from tillstream.publish import Publisher, partition_of
from tillstream.reconcile.run import reconcile
from tillstream.settings import Settings

pytestmark = [pytest.mark.integration, pytest.mark.timeout(1800)]
PATIENCE = 240.0
PER_SECOND = 400


class Stand:
    """One data folder, and the `up` that runs on it."""

    def __init__(self, folder):
        self.settings = Settings(
            kafka_url=f"kafka://127.0.0.1:{free_port()}",
            clickhouse_url=f"http://127.0.0.1:{free_port()}/tillstream",
            metrics_bind=f"127.0.0.1:{free_port()}",
            partitions=4,
            data_dir=folder,
        )
        self.recoveries = []

    def start(self):
        environment = {**os.environ, **settings_environment(self.settings), "PYTHONPATH": str(REPOSITORY)}
        self.begun = time.monotonic()
        self.up = Program(["up"], environment)

    async def ready(self, line="ready", times=1):
        """Return once `up` has said so, so many times, and note how long that took."""
        async with asyncio.timeout(PATIENCE):
            while sum(line in text for text in [*self.up.out, *self.up.err]) < times:
                assert self.up.process.poll() is None, self.up.everything()
                await asyncio.sleep(0.05)
        self.recoveries.append(time.monotonic() - self.begun)

    async def kill_all(self):
        processes = [psutil.Process(self.up.process.pid), *psutil.Process(self.up.process.pid).children(recursive=True)]
        for process in processes:
            with suppress(psutil.NoSuchProcess):
                process.kill()
        await asyncio.to_thread(self.up.process.wait)
        assert await asyncio.to_thread(none_left, processes[1:])

    async def stop(self):
        assert await asyncio.to_thread(self.up.ends, signal.SIGTERM, 90) == 0, self.up.everything()

    async def log(self):
        """Every partition's messages, as Kafka has them."""
        found = []
        async with AIOKafkaConsumer(**kafka.client_options(self.settings), **kafka.TO_THE_END) as consumer:
            parts = [TopicPartition(RECEIPTS, number) for number in range(self.settings.partitions)]
            for part, end in (await kafka.end_offsets(consumer, parts)).items():
                consumer.assign([part])
                await consumer.seek_to_beginning(part)
                messages = []
                while await consumer.position(part) < end:
                    messages += [r.value for r in (await consumer.getmany(part, timeout_ms=500)).get(part, [])]
                found.append(messages)
        return found

    async def judged(self):
        """(log, differences), once everything was counted; reconcile must agree with the oracle."""
        report = await reconcile(self.settings, wait=PATIENCE)
        oracle, log = Oracle(self.settings.window, self.settings.grace), await self.log()
        for messages in log:
            oracle.take(messages)
        with ch.connect(self.settings) as client:
            differences = oracle.differences(client)
            places = client.query("SELECT partition, offset, transaction_id FROM receipts FINAL").result_rows
        assert (differences == 0) == (report.different == 0), f"oracle: {differences}, reconcile: {report.different}"
        foreign = [row for row in places if f'"transaction_id": "{row[2]}"'.encode() not in log[row[0]][row[1]]]
        assert not foreign, "rows of receipts that the log does not hold at their place"
        return log, differences


@asynccontextmanager
async def publishing(settings, sent):
    """A producer that goes on through whatever happens; gives the list of what Kafka has acknowledged."""
    acknowledged, enough = [], asyncio.Event()

    async def run():
        async with Publisher(settings, RECEIPTS) as publisher:
            many = PER_SECOND // 20
            while not enough.is_set():
                of_partition = {}
                for store, value in (next(sent) for _ in range(many)):
                    place = partition_of(store.encode(), publisher.partitions)
                    of_partition.setdefault(place, []).append((store.encode(), value))
                for place, records in of_partition.items():
                    await publisher.send(place, records)
                    acknowledged.extend(value for _, value in records)
                await asyncio.sleep(1 / 20)  # the pace of the load

    running = asyncio.create_task(run())
    try:
        yield acknowledged
    finally:
        enough.set()
        await running


async def stopped_and_started(stand, times, sent, drawn):
    """Differences after so many clean stops, which must lose nothing that Kafka has acknowledged."""
    async with publishing(stand.settings, sent) as acknowledged:
        for _ in range(times):
            await asyncio.sleep(drawn.uniform(1, 4))  # the fault's own moment, by seed
            await stand.stop()
            stand.start()
            await stand.ready()
    log, differences = await stand.judged()
    missing = set(acknowledged) - {value for messages in log for value in messages}
    assert not missing, "a clean stop loses nothing that was acknowledged"
    return differences


async def killed(stand, faults, sent, drawn):
    """(messages, differences) after these SIGKILLs; what the journal had before each, the log has in the end."""
    again = 0
    async with publishing(stand.settings, sent):
        for fault in faults:
            await asyncio.sleep(drawn.uniform(0.5, 4))
            before = journaled(stand.settings)
            if fault == "broker":
                again += 1
                stand.begun = time.monotonic()
                stand.up.children()["broker"].kill()
                await stand.ready("ready again", again)
            else:
                again = 0
                await stand.kill_all()
                stand.start()
                if drawn.random() < 0.3:  # and once more, while it starts
                    await asyncio.sleep(drawn.uniform(0.5, 5))
                    await stand.kill_all()
                    stand.start()
                await stand.ready()
            assert journaled(stand.settings) >= before, "what the journal had, it has"
    log, differences = await stand.judged()
    assert all(len(log[partition]) >= many for partition, many in before.items())
    return sum(map(len, log)), differences


def test_f15_up_stopped_and_killed_in_mid_day_is_exact_for_all_that_the_log_holds(tmp_path, full, table):
    stops, kills = (10, 10) if full else (1, 1)
    drawn = random.Random(15)
    sent = iter(receipts(400_000 if full else 60_000, seed=15, days=30.0))
    faults = drawn.sample(["everything", "broker"] * kills, 2 * kills)
    stand = Stand(tmp_path / "data")

    async def run():
        stand.start()
        await stand.ready()
        first = await stopped_and_started(stand, stops, sent, drawn)
        events, second = await killed(stand, faults, sent, drawn)
        await stand.stop()
        return events, first + second

    try:
        events, differences = asyncio.run(run())
    finally:
        if stand.up.process.poll() is None:
            asyncio.run(stand.kill_all())
    table("F15", stops + 2 * kills, events, differences, f"{max(stand.recoveries):.1f} s")
    assert differences == 0
