"""How long a worker's partitions stand still after SIGKILL, by the size of its state.

    python bench/recovery.py [--rows 10000 --rows 100000 --rows 1000000] [--rounds 3] [--json]

One worker folds so many of the demo's rows, with a grace so long that all of their windows stay open. It is killed, a
successor is started at once, and the clock stops when the first new totals of every partition stand in `sales.windows`.
Most of that is the broker's wait for the dead member: so the same is done after a clean stop, which has none, from the
successor's start. The successor reads the changelog from its beginning, as large as it is told.
"""

from __future__ import annotations

import argparse
import asyncio
import dataclasses
import json
import os
import statistics
import subprocess
import sys
import time
from contextlib import contextmanager
from datetime import timedelta

from lib import broker, log, machine, race
from rich.console import Console
from rich.table import Table

from schemas import topics
from schemas.decode import decode
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


def receipts_with(rows: int) -> tuple[int, int]:
    """(receipts, rows) of the demo: its first receipts that make at least so many rows of 5-minute windows."""
    found: set[tuple[str, str, int]] = set()
    for count, one in enumerate(demo_data.receipts(), 1):
        receipt = decode(one.value)
        start = receipt.occurred_at // 300_000_000
        found.update((receipt.store_id, sku, start) for sku in receipt.lines.sku)
        if len(found) >= rows:
            return count, len(found)
    raise SystemExit(f"The demo has only {len(found):,} rows.")


@contextmanager
def worker(settings: Settings):
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
    wanted = {
        part: end for part, end in (await log.ends_of(settings, settings.topic_prefix + topics.RECEIPTS)).items()
        if end
    }  # fmt: skip
    async with admin(settings) as client, asyncio.timeout(PATIENCE):
        while True:
            found = await client.list_consumer_group_offsets(group, partitions=list(wanted))
            if all(part in found and found[part].offset >= end for part, end in wanted.items()):
                return
            await asyncio.sleep(race.POLL)


async def until_flushed(settings: Settings, more: list) -> None:
    """Publish receipts that nobody has folded, and return once totals of each of their partitions have arrived."""
    name = settings.topic_prefix + topics.WINDOWS
    before = await log.ends_of(settings, name)
    touched = {partition_of(one.store_id.encode(), settings.partitions) for one in more}
    await publish(settings, iter(more))
    async with asyncio.timeout(PATIENCE):
        while True:
            now = await log.ends_of(settings, name)
            if all(now[part] > before[part] for part in now if part.partition in touched):
                return
            await asyncio.sleep(race.POLL)


async def measure(settings: Settings, receipts: int, rows: int) -> Recovery:
    rest = list(demo_data.receipts(receipts + 2 * MORE))[receipts:]
    await log.preload(settings, receipts)
    name = topics.changelog_topic(settings.topic_prefix, topics.FIRST_EPOCH)
    with worker(settings) as first:
        await until_committed(settings)
        changelog = 0
        async for record in log.all_records(settings, name):
            changelog += len(record.key) + len(record.value or b"")
        begun = time.monotonic()
        first.kill()
    with worker(settings) as second:
        await until_flushed(settings, rest[:MORE])
        killed = time.monotonic() - begun
        await until_committed(settings)
        second.terminate()
        second.wait()
        begun = time.monotonic()
    with worker(settings):
        await until_flushed(settings, rest[MORE:])
        stopped = time.monotonic() - begun
    return Recovery(rows, changelog, killed, stopped)


def run(size: int) -> Recovery:
    receipts, rows = receipts_with(size)
    with broker.fresh_broker(timedelta(minutes=5)) as settings:
        return asyncio.run(measure(settings.model_copy(update={"grace": timedelta(days=1_000)}), receipts, rows))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, action="append", help="a size of state; 10,000, 100,000 and 1,000,000")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    found = []
    with note.status("") as status:
        for size in given.rows or SIZES:
            runs = []
            for number in range(given.rounds):
                status.update(f"{size:,} rows, round {number + 1} of {given.rounds}")
                runs.append(run(size))
            killed, stopped = (statistics.median(getattr(one, name) for one in runs) for name in ("killed", "stopped"))
            found.append(dataclasses.replace(runs[-1], killed=killed, stopped=stopped))
    if given.json:
        figures = {"machine": machine.machine(), "sizes": [dataclasses.asdict(one) for one in found]}
        sys.stdout.write(json.dumps(figures, indent=2) + "\n")
        return
    table = Table(title="seconds until the first new totals of every partition, medians", title_justify="left")
    for column in ("rows of state", "changelog MiB", "after SIGKILL", "without the wait for the dead member"):
        table.add_column(column, justify="right")
    for one in found:
        table.add_row(f"{one.rows:,}", f"{one.changelog / 2**20:.1f}", f"{one.killed:.1f}", f"{one.stopped:.1f}")
    out = Console() if sys.stdout.isatty() else Console(width=120)
    out.print(table)
    out.print(f"measured on {machine.machine()}", soft_wrap=True)


if __name__ == "__main__":
    main()
