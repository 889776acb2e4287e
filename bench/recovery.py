"""How long a worker's partitions stand still after SIGKILL, by the size of its state.

    python bench/recovery.py [--rows 10000 --rows 1000000] [--rounds 3] [--broker kafka] [--write] [--json]

One worker folds so many of the demo's rows, with a grace so long that all of their windows stay open. It is killed, a
successor is started at once, and the clock stops when the first new totals of every partition stand in `sales.windows`.
Most of that is the broker's wait for the dead member: so the same is done after a clean stop, which has none, from the
successor's start. The successor reads the changelog from its beginning, as large as it is told. Both brokers are
measured where there is Java for Apache Kafka.
"""

from __future__ import annotations

import argparse
import asyncio
import dataclasses
import os
import statistics
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from datetime import timedelta
from typing import Any

from aiokafka import AIOKafkaConsumer
from lib import broker, log, machine, open_totals, race, told
from rich.console import Console

from schemas import topics
from tillstream import kafka
from tillstream.local import demo_data
from tillstream.local.launch import settings_environment
from tillstream.publish import partition_of
from tillstream.replay import publish
from tillstream.settings import Settings
from tillstream.waiting import admin

SIZES = (10_000, 100_000, 1_000_000)
PATIENCE = 300.0
MORE = 300
note = Console(stderr=True)


@dataclasses.dataclass(frozen=True)
class Recovery:
    """Rows of state, bytes of its changelog, seconds after SIGKILL and after a clean stop."""

    rows: int
    changelog: int
    killed: float
    stopped: float


@contextmanager
def worker(settings: Settings) -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen(
        [sys.executable, "-m", "tillstream", "worker"],
        env={**os.environ, **settings_environment(settings)}, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        yield process
    finally:
        process.kill()
        process.wait()


async def until_committed(settings: Settings) -> None:
    """Return once the worker's group has committed the end of every partition."""
    group = topics.group_id(settings.topic_prefix, topics.FIRST_EPOCH)
    wanted = await race.ends_to_commit(settings)
    async with admin(settings) as client, asyncio.timeout(PATIENCE):
        while True:
            found = await race.committed_by(client, group, list(wanted))
            if all(found.get(part, -1) >= end for part, end in wanted.items()):
                return
            await asyncio.sleep(race.POLL)


@asynccontextmanager
async def totals_of(settings: Settings) -> AsyncIterator[AIOKafkaConsumer]:
    """A consumer that stands at the end of `sales.windows`, so that it gives what comes from now on."""
    ends = await log.ends_of(settings, settings.topic_prefix + topics.WINDOWS)
    async with AIOKafkaConsumer(**kafka.client_options(settings), enable_auto_commit=False) as consumer:
        consumer.assign(list(ends))
        for part, end in ends.items():
            consumer.seek(part, end)
        yield consumer


async def until_flushed(settings: Settings, totals: AIOKafkaConsumer, more: list) -> None:
    """Publish receipts that nobody has folded, and return once totals of each of their partitions have arrived."""
    waiting = {partition_of(one.store_id.encode(), settings.partitions) for one in more}
    await publish(settings, iter(more))
    async with asyncio.timeout(PATIENCE):
        while waiting:
            waiting -= {part.partition for part, found in (await totals.getmany(timeout_ms=100)).items() if found}


async def measure(settings: Settings, receipts: int, rows: int) -> Recovery:
    rest = list(demo_data.receipts(receipts + 2 * MORE))[receipts:]
    await log.preload(settings, receipts)
    name = topics.changelog_topic(settings.topic_prefix, topics.FIRST_EPOCH)
    with worker(settings) as first:
        await until_committed(settings)
        changelog = 0
        async for record in log.all_records(settings, name):
            changelog += len(record.key) + len(record.value or b"")
        async with totals_of(settings) as totals:
            begun = time.monotonic()
            first.kill()
            with worker(settings) as second:
                await until_flushed(settings, totals, rest[:MORE])
                killed = time.monotonic() - begun
                await until_committed(settings)
                second.terminate()
                second.wait()
    async with totals_of(settings) as totals:
        begun = time.monotonic()
        with worker(settings):
            await until_flushed(settings, totals, rest[MORE:])
            stopped = time.monotonic() - begun
    return Recovery(rows, changelog, killed, stopped)


def run(kind: broker.Kind, size: int) -> Recovery:
    receipts, rows = open_totals.receipts_with(size)
    with broker.fresh_broker(timedelta(minutes=5), kind) as settings:
        return asyncio.run(measure(settings.model_copy(update={"grace": timedelta(days=1_000)}), receipts, rows))


def measured(kinds: list[broker.Kind], sizes: Sequence[int], rounds: int) -> dict[str, Any]:
    load = machine.load()
    found: dict[str, list[dict[str, Any]]] = {kind: [] for kind in kinds}
    with note.status("") as status:
        for kind in kinds:
            for size in sizes:
                runs = []
                for number in range(rounds):
                    status.update(f"{broker.NAMES[kind]}, {size:,} rows, round {number + 1} of {rounds}")
                    runs.append(run(kind, size))
                medians = {
                    name: statistics.median(getattr(one, name) for one in runs) for name in ("killed", "stopped")
                }
                found[kind].append(dataclasses.asdict(dataclasses.replace(runs[-1], **medians)))
    return {"machine": machine.machine(), "load_before": round(load, 1), "rounds": rounds, "sizes": found}


def cells(found: dict[str, Any]) -> list[list[str]]:
    """A heading, and a row for each broker and size."""
    head = ["broker", "rows of state", "changelog, MiB", "after SIGKILL, s", "without the wait for the dead member, s"]
    return [head] + [
        [broker.NAMES[kind], f"{one['rows']:,}", f"{one['changelog'] / 2**20:.1f}", f"{one['killed']:.1f}",
         f"{one['stopped']:.1f}"]
        for kind, sizes in found["sizes"].items() for one in sizes
    ]  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, action="append", help="a size of state; 10,000, 100,000 and 1,000,000")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--broker", choices=list(broker.NAMES), help="one of them only")
    parser.add_argument("--write", action="store_true", help="put the results into docs/performance.md")
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    kinds: list[broker.Kind] = [given.broker] if given.broker else list(dict.fromkeys([broker.best(), "embedded"]))
    found = measured(kinds, given.rows or SIZES, given.rounds)
    busy = f" Other work had the machine as well (load {found['load_before']})." if found["load_before"] > 1 else ""
    said = f"Medians of {given.rounds} round(s), on {found['machine']}.{busy}"
    told.tell(given, found, "recovery", "seconds until the first new totals of every partition", cells(found), said)


if __name__ == "__main__":
    main()
