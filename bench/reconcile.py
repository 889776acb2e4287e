"""How long `reconcile` takes over the whole demo, and what takes the time: python bench/reconcile.py

    python bench/reconcile.py [--receipts 155848] [--rounds 3] [--profile] [--json]

The demo's receipts are published, counted and written by the embedded stack; then every total is computed again from
the log and compared, so many times. Wall time, and the CPU seconds of this process and of ClickHouse, which tell more
where others use the machine. `--profile` prints the functions that take the most, of one more round.
"""

from __future__ import annotations

import argparse
import asyncio
import cProfile
import json
import pstats
import statistics
import sys
import time

import psutil
from lib import machine
from lib.embedded import settings_of_its_own
from lib.progress import steps
from rich.console import Console
from rich.table import Table

from tillstream import ch
from tillstream.local import demo_data
from tillstream.local.stack import Stack
from tillstream.reconcile.run import reconcile
from tillstream.replay import publish
from tillstream.settings import Settings

TARGET_SECONDS = 20.0
SHOWN = 30


def cpu_seconds(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)


async def measure(settings: Settings, many: int, rounds: int, *, profile: bool) -> list[dict[str, float]]:
    stack = Stack(settings, say=lambda _: None, journal=False)
    found = []
    try:
        with steps("receipts through the stack, then reconcile", rounds + 1) as advance:
            await stack.start()
            await publish(settings, iter(list(demo_data.receipts(many))))
            with ch.connect(settings) as client:
                while client.query("SELECT sum(messages) FROM partition_counts").result_rows[0][0] < many:  # noqa: ASYNC110  # ClickHouse does not tell
                    await asyncio.sleep(0.2)
            advance()
            ours, clickhouse = psutil.Process(), psutil.Process(stack.pids()["clickhouse"])
            for _ in range(rounds):
                before = cpu_seconds(ours), cpu_seconds(clickhouse)
                report = await reconcile(settings, wait=120)
                if report.different:
                    raise SystemExit(f"{report.different} rows differ: {report.differences[:3]}")
                found.append({
                    "seconds": report.seconds - report.waited, "rows": report.rows, "waited": report.waited,
                    "cpu": cpu_seconds(ours) - before[0], "clickhouse_cpu": cpu_seconds(clickhouse) - before[1],
                })  # fmt: skip
                advance()
            if profile:
                asyncio.to_thread = _here  # comparing runs in a thread, which a profiler of this one does not see
                profiler = cProfile.Profile()
                profiler.enable()
                await reconcile(settings, wait=120)
                profiler.disable()
                pstats.Stats(profiler, stream=sys.stderr).sort_stats("tottime").print_stats(SHOWN)
    finally:
        await stack.stop()
    return found


async def _here(work, *args, **named):
    return work(*args, **named)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--receipts", type=int, default=demo_data.RECEIPTS)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--profile", action="store_true")
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    with settings_of_its_own() as settings:
        begun = time.monotonic()
        found = asyncio.run(measure(settings, given.receipts, given.rounds, profile=given.profile))
        whole = time.monotonic() - begun
    if given.json:
        figures = {"machine": machine.machine(), "target_seconds": TARGET_SECONDS, "rounds": found, "whole": whole}
        sys.stdout.write(json.dumps(figures, indent=2) + "\n")
        return
    out = Console() if sys.stdout.isatty() else Console(width=120)
    table = Table(title=f"reconcile of {given.receipts:,} receipts", title_justify="left")
    for column in ("rows", "seconds", "of which this process computes", "ClickHouse computes"):
        table.add_column(column, justify="right")
    for one in found:
        table.add_row(f"{one['rows']:,}", f"{one['seconds']:.1f}", f"{one['cpu']:.1f}", f"{one['clickhouse_cpu']:.1f}")
    out.print(table)
    median = statistics.median(one["seconds"] for one in found)
    out.print(f"median {median:.1f} s; target: below {TARGET_SECONDS:.0f} s", soft_wrap=True)
    out.print(f"measured on {machine.machine()}", soft_wrap=True)


if __name__ == "__main__":
    main()
