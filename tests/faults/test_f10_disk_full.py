"""F10: ClickHouse's disk is full in the middle of a flush; killed in that state, it has all it acknowledged."""

import asyncio
import json
import os
import random
import shutil
import subprocess
from contextlib import contextmanager, suppress

import pytest
from aiokafka import TopicPartition

from schemas.topics import RECEIPTS
from tests.faults.harness import feeder, judged, log_of, migrated_later
from tests.faults.load import receipts
from tests.faults.programs import programs
from tests.integration.harness import progressed
from tillstream import ch
from tillstream.groups import groups_of
from tillstream.local.launch import EmbeddedClickHouse, free_port
from tillstream.reconcile.log import reader
from tillstream.waiting import wait_for_clickhouse

pytestmark = [pytest.mark.integration, pytest.mark.timeout(1800)]
DISK = "256m"


@contextmanager
def small_disk(folder):
    """A file system of its own in memory, so small that it can be filled."""
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={DISK}", "tmpfs", str(folder)]
    if os.geteuid() != 0 or shutil.which("mount") is None or subprocess.run(mount, check=False).returncode != 0:
        pytest.skip("needs the right to mount a small disk")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


def fill(disk, left):
    """Take all room of the disk but so many bytes, or fewer: ClickHouse writes meanwhile."""
    with (disk / "ballast").open("wb") as file:
        taken = 0
        while (room := shutil.disk_usage(disk).free - left) > 0:
            with suppress(OSError):
                os.posix_fallocate(file.fileno(), taken, room)
                taken += room


async def committed(settings):
    """The next offset that the ledger's sink would read, of each partition."""
    [_, ledger] = groups_of(settings, "sink", 1)
    parts = {at: TopicPartition(settings.topic_prefix + RECEIPTS, at) for at in range(settings.partitions)}
    async with reader(settings, ledger) as consumer:
        return {at: await consumer.committed(part) or 0 for at, part in parts.items()}


def recorded(value):
    """Whether the ledger keeps the message (none is malformed here)."""
    receipt = json.loads(value)
    return receipt["type"] not in {"training", "void"} and not all(line.get("void") for line in receipt["lines"])


async def missing(settings, below):
    """How many messages below the committed offsets ClickHouse does not have."""
    log = await log_of(settings)
    with ch.connect(settings) as client:
        there = set(client.query("SELECT partition, offset FROM receipts").result_rows)
    wanted = {(part, at) for part, end in below.items() for at in range(end) if recorded(log[part][at])}
    return len(wanted - there), len(wanted)


def test_f10_a_full_disk_is_waited_out_and_nothing_acknowledged_is_lost(
    migrated, environment, at_length, full, table, tmp_path
):
    times = 10 if full else 2
    sent = receipts(6_000 * times, seed=10)
    drawn = random.Random(10)

    async def run(start, server, disk, settings):
        await migrated_later(settings)
        worker, sink = start("worker"), start("sink")
        await worker.says()
        lost = kept = 0
        async with feeder(settings) as feed:
            for time in range(times):
                share = sent[time * 6_000 : (time + 1) * 6_000]
                await feed(share[:2_000])
                await progressed(settings, time * 6_000 + 1_000)
                fill(disk, drawn.choice([0, 20_000, 200_000, 600_000]))
                await feed(share[2_000:])
                await sink.says("sink waits: ")
                if time % 2:
                    (disk / "ballast").unlink()
                    await sink.says("sink goes on: ")
                    continue
                sink.kill()
                server.process.kill()
                server.process.wait()
                below = await committed(settings)
                (disk / "ballast").unlink()
                server.start()
                await wait_for_clickhouse(settings, 60)
                found = await missing(settings, below)
                lost, kept = lost + found[0], kept + found[1]
                sink = start("sink")
        assert worker.alive
        return *await judged(settings), lost, kept

    with small_disk(tmp_path / "disk") as disk:
        server = EmbeddedClickHouse("127.0.0.1", free_port(), disk / "clickhouse", tmp_path / "clickhouse.log")
        server.start()
        url = type(migrated.clickhouse_url)(f"http://127.0.0.1:{server.port}/faults")
        settings = migrated.model_copy(update={"clickhouse_url": url})
        try:
            with programs(environment, settings, tmp_path / "programs") as start:
                events, differences, took, lost, kept = asyncio.run(run(start, server, disk, settings))
        finally:
            server.stop()
    table("F10", times, events, differences + lost, f"{took:.1f} s", "ClickHouse's disk full")
    assert (events, differences, lost) == (len(sent), 0, 0)
    assert kept > 1_000
