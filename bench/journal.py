"""What the embedded broker's journal costs, and how long a start with it takes: python bench/journal.py

    python bench/journal.py [--receipts 155848] [--rounds 3] [--json]

The demo's receipts are published into the embedded broker as `tillstream replay` does it, without a journal (clients
talk to the broker itself) and with one (they come through the gate, and a second process writes all of it down), in
alternation. Then everything is started on the last journal: until clients get in, until all parts are ready, and until
ClickHouse has every receipt counted again.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import shutil
import statistics
import sys
import tempfile
import time
from pathlib import Path

from lib import machine
from rich.console import Console
from rich.table import Table

from tillstream import ch, topic_admin
from tillstream.local import demo_data
from tillstream.local.launch import free_port
from tillstream.local.stack import Stack
from tillstream.replay import publish
from tillstream.settings import Settings
from tillstream.waiting import admin

WITHOUT, WITH = "without a journal", "with a journal"


def settings_in(folder: Path) -> Settings:
    return Settings(
        kafka_url=f"kafka://127.0.0.1:{free_port()}",
        clickhouse_url=f"http://127.0.0.1:{free_port()}/tillstream",
        metrics_bind="127.0.0.1:0",
        data_dir=folder,
    )


def quiet(_: str) -> None:
    pass


async def published(settings: Settings, receipts: list, *, journal: bool) -> tuple[float, float]:
    """(receipts acknowledged a second, seconds until the last of them is on the disk, the stop included)."""
    stack = Stack(settings, ("broker",), say=quiet, journal=journal)
    try:
        await stack.start()
        async with admin(settings) as client:
            await topic_admin.create_missing(client, topic_admin.wanted(settings))
        done = await publish(settings, receipts)
        begun = time.monotonic()
    finally:
        await stack.stop()
    return done.receipts / done.seconds, time.monotonic() - begun


async def restarted(settings: Settings, many: int) -> dict[str, float]:
    """Seconds from the start until clients get in, all parts are ready, all receipts are counted again."""
    stack = Stack(settings, say=quiet)
    begun = time.monotonic()
    found = {}
    try:
        report = await stack.start_servers()
        found["clients get in"] = time.monotonic() - begun
        await stack.start_roles(report.epoch)
        found["ready"] = time.monotonic() - begun
        with ch.connect(settings) as client:
            while client.query("SELECT sum(messages) FROM partition_counts").result_rows[0][0] < many:  # noqa: ASYNC110  # ClickHouse does not tell
                await asyncio.sleep(0.1)
        found["all is counted again"] = time.monotonic() - begun
    finally:
        await stack.stop()
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--receipts", type=int, default=demo_data.RECEIPTS)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()

    receipts = list(demo_data.receipts(given.receipts))
    rates: dict[str, list[float]] = {WITHOUT: [], WITH: []}
    stops, restart, size = [], {}, 0
    for number in range(given.rounds):
        for name, found in rates.items():
            folder = Path(tempfile.mkdtemp(prefix="tillstream-bench-"))
            try:
                settings = settings_in(folder)
                rate, stop = asyncio.run(published(settings, receipts, journal=name == WITH))
                found.append(rate)
                if name == WITH:
                    stops.append(stop)
                    size = sum(file.stat().st_size for file in (folder / "broker" / "journal").iterdir())
                    if number == given.rounds - 1:
                        restart = asyncio.run(restarted(settings, len(receipts)))
            finally:
                shutil.rmtree(folder, ignore_errors=True)
    if given.json:
        found = {"receipts_per_second": rates, "stop_seconds": stops, "journal_bytes": size, "restart_seconds": restart}
        sys.stdout.write(json.dumps({"machine": machine.machine(), **found}, indent=2) + "\n")
        return
    console = Console()
    table = Table(title=f"{len(receipts):,} receipts published", title_justify="left")
    for column in ("what", "receipts/s, median", "min to max"):
        table.add_column(column, justify="left" if column == "what" else "right")
    for name, found in rates.items():
        table.add_row(name, f"{statistics.median(found):,.0f}", f"{min(found):,.0f} to {max(found):,.0f}")
    console.print(table)
    total = sum(len(receipt.value) for receipt in receipts)
    console.print(f"on the disk: {size / 1e6:.0f} MB for {total / 1e6:.0f} MB of receipts", soft_wrap=True)
    console.print(f"from the last acknowledgement to a clean stop: {statistics.median(stops):.1f} s", soft_wrap=True)
    for name, seconds in restart.items():
        console.print(f"the next start, until {name}: {seconds:.1f} s", soft_wrap=True)
    console.print(f"measured on {machine.machine()}", soft_wrap=True)


if __name__ == "__main__":
    main()
