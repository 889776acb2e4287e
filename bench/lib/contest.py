"""What every contestant of a throughput benchmark shares: a broker of its own, preloaded receipts, a stopwatch.

The clock runs from the moment in which the contestant says that it has its partitions, to the moment in which the
broker has its commit of every partition's last offset. Start-up and the joining of the group are left out; whatever
must be durable before a commit is in. Nothing here is timed by hand: each contestant runs in a process of its own,
on a broker that is started for it and preloaded before it starts.
"""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import psutil
from aiokafka import TopicPartition

from schemas import topics
from tillstream import epochs, kafka, topic_admin
from tillstream.local import demo_data
from tillstream.local.broker import EmbeddedBroker
from tillstream.local.launch import free_port, settings_environment
from tillstream.replay import publish
from tillstream.settings import Settings
from tillstream.waiting import admin, wait_for_kafka

LONGEST_RUN = 600.0
POLL = 0.05


@dataclass(frozen=True, slots=True)
class Run:
    """One contestant's run: how many lines it took, in how many seconds, and the peak of its memory in bytes."""

    lines: int
    seconds: float
    cpu_seconds: float
    memory: int

    @property
    def rate(self) -> float:
        """Lines a second."""
        return self.lines / self.seconds


@contextmanager
def fresh_broker(window: timedelta) -> Iterator[Settings]:
    """Settings for a broker that nothing was ever sent to; it ends with the block."""
    with tempfile.TemporaryDirectory(prefix="tillstream-bench-") as folder:
        broker = EmbeddedBroker("127.0.0.1", free_port(), Path(folder) / "broker.log")
        broker.start()
        try:
            yield Settings(
                kafka_url=f"kafka://127.0.0.1:{broker.port}",
                window=window,
                metrics_bind=f"127.0.0.1:{free_port()}",
                data_dir=Path(folder) / "data",
            )
        finally:
            broker.stop()


async def preload(settings: Settings, receipts: int | None) -> tuple[int, int]:
    """Make the topics and publish the demo's receipts; gives (receipts, lines)."""
    await wait_for_kafka(settings)
    async with admin(settings) as client:
        await topic_admin.create_missing(client, topic_admin.wanted(settings))
    await epochs.write(settings, epochs.first(settings))
    published = await publish(settings, demo_data.receipts(receipts))
    return published.receipts, published.lines


@asynccontextmanager
async def _reader(settings: Settings) -> AsyncIterator[object]:
    from aiokafka import AIOKafkaConsumer

    consumer = AIOKafkaConsumer(**kafka.client_options(settings), enable_auto_commit=False)
    await consumer.start()
    try:
        yield consumer
    finally:
        await consumer.stop()


async def ends_of(settings: Settings, topic: str) -> dict[TopicPartition, int]:
    """End offsets of a topic's partitions."""
    async with _reader(settings) as consumer:
        parts = [TopicPartition(topic, number) for number in sorted(consumer.partitions_for_topic(topic) or ())]
        return await kafka.end_offsets(consumer, parts)


async def all_records(settings: Settings, topic: str) -> AsyncIterator[object]:
    """Every record of a topic, partition by partition."""
    ends = await ends_of(settings, topic)
    async with _reader(settings) as consumer:
        for part, end in ends.items():
            consumer.assign([part])
            await consumer.seek_to_beginning(part)
            while await consumer.position(part) < end:
                for record in (await consumer.getmany(part, timeout_ms=500)).get(part, []):
                    yield record


class Contestant:
    """A program that consumes `pos.receipts` in `group`; it is ready once a line of its output holds `sign`."""

    def __init__(self, argv: list[str], environment: dict[str, str], group: str, is_ready: Callable[[str], bool]):
        self._argv = argv
        self._environment = environment
        self._group = group
        self._is_ready = is_ready

    async def race(self, settings: Settings, lines: int) -> Run:
        """Run it until the broker has its commit of everything."""
        ends = await ends_of(settings, settings.topic_prefix + topics.RECEIPTS)
        wanted = {part: end for part, end in ends.items() if end}
        process = subprocess.Popen(  # noqa: ASYNC220  # nothing else runs in this loop yet
            self._argv, env={**os.environ, **self._environment}, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            text=True,
        )  # fmt: skip
        begun: list[float] = []
        said: list[str] = []
        threading.Thread(target=self._listen, args=(process, begun, said), daemon=True).start()
        try:
            seconds = await self._until_committed(settings, process, wanted, begun, said)
            times = psutil.Process(process.pid).cpu_times()
            memory = psutil.Process(process.pid).memory_info().rss
            return Run(lines, seconds, times.user + times.system, memory)
        finally:
            process.terminate()
            try:
                process.wait(15)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    def _listen(self, process: subprocess.Popen[str], begun: list[float], said: list[str]) -> None:
        for line in process.stdout or ():
            said.append(line)
            if not begun and self._is_ready(line):
                begun.append(time.monotonic())

    async def _until_committed(
        self,
        settings: Settings,
        process: subprocess.Popen[str],
        wanted: dict[TopicPartition, int],
        begun: list[float],
        said: list[str],
    ) -> float:
        deadline = time.monotonic() + LONGEST_RUN
        async with admin(settings) as client:
            while time.monotonic() < deadline:
                if process.poll() is not None:
                    raise SystemExit(f"The contestant ended by itself: {''.join(said[-20:])}")
                if begun:
                    committed = await client.list_consumer_group_offsets(self._group, partitions=list(wanted))
                    if all(committed[part].offset >= end for part, end in wanted.items() if part in committed):
                        return time.monotonic() - begun[0]
                await asyncio.sleep(POLL)
        raise SystemExit(f"The contestant did not finish in {LONGEST_RUN:.0f} s: {''.join(said[-20:])}")


def tillstream_worker(settings: Settings) -> Contestant:
    """One worker, as `tillstream worker` runs it."""
    return Contestant(
        [sys.executable, "-m", "tillstream", "worker"],
        settings_environment(settings),
        topics.group_id(settings.topic_prefix, topics.FIRST_EPOCH),
        lambda line: "folding partitions" in line and "none yet" not in line,
    )


def machine() -> str:
    """What the figures were measured on."""
    model = "unknown processor"
    info = Path("/proc/cpuinfo")
    if info.exists():
        names = [
            line.split(":", 1)[1].strip() for line in info.read_text().splitlines() if line.startswith("model name")
        ]
        model = names[0] if names else model
    memory = psutil.virtual_memory().total / 1024**3
    return f"{os.cpu_count()} cores of {model}, {memory:.0f} GiB, Python {sys.version.split()[0]}, {sys.platform}"
