"""A worker's state read back from its changelog, by tillstream's table and by an ordinary Faust table, in alternation.

    python bench/restore.py [--rows 1000000] [--rounds 5] [--broker kafka] [--write] [--json]

A worker folds receipts that leave so many totals open: windows of about ten rows, and large ones of 5,000. Then each of
the two reads the same changelog, in a process of its own, timed from the moment in which Faust has assigned the
partitions until all of it is there (tillstream: built, read on to the end of then, the log compared, ready to fold).
tillstream must find every row, Faust every key. Faust's table keeps bytes as they are; tillstream's builds its state.
"""

from __future__ import annotations

import argparse
import asyncio
import dataclasses
import json
import os
import subprocess
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

from lib import broker, log, machine, open_totals, race, told
from lib.figures import Spread
from lib.open_totals import WINDOW_US, Changelog

from schemas import topics
from tillstream import console
from tillstream.local.launch import settings_environment
from tillstream.replay import publish
from tillstream.settings import Settings

HERE = Path(__file__).parent
PROGRAMS = {"tillstream": HERE / "lib" / "restoring.py", "Faust": HERE / "peers" / "faust_table.py"}
LONGEST = 300.0
Runs = dict[str, list[dict[str, Any]]]


async def prepare(settings: Settings, rows: int) -> tuple[int, Changelog]:
    """Have a worker fold receipts that leave so many rows open; gives (rows, what its changelog holds)."""
    receipts, found = open_totals.receipts(rows)
    await log.preload(settings, 0)
    await publish(settings, iter(receipts))
    await race.tillstream_worker(settings).race(settings, sum(one.lines for one in receipts))
    return found, await open_totals.changelog(settings)


def run(name: str, settings: Settings) -> dict[str, Any]:
    """Let one of them read it back."""
    group = topics.group_id(settings.topic_prefix, topics.FIRST_EPOCH)
    done = subprocess.run(
        [sys.executable, PROGRAMS[name]],
        env={**os.environ, **settings_environment(settings), "BENCH_GROUP": group},
        stdout=subprocess.PIPE, text=True, timeout=LONGEST, check=True,
    )  # fmt: skip
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def check(name: str, found: dict[str, Any], rows: int, changelog: Changelog) -> None:
    """End where it has not read all of it."""
    has, wants = (found["rows"], rows) if name == "tillstream" else (found["keys"], changelog.keys)
    if has != wants:
        raise SystemExit(f"{name} has read {has:,} back, not {wants:,}.")


def measured(given: argparse.Namespace) -> dict[str, Any]:
    kind = given.broker or broker.best()
    load = machine.load()
    runs: Runs = {name: [] for name in PROGRAMS}
    with broker.fresh_broker(timedelta(microseconds=WINDOW_US), kind) as fresh, console.progress() as bar:
        settings = fresh.model_copy(update={"grace": timedelta(days=10_000)})
        task = bar.add_task("a worker folds", total=given.rounds * len(runs), rate="")
        rows, changelog = asyncio.run(prepare(settings, given.rows))
        for number in range(1, given.rounds + 1):
            for name, found in runs.items():
                bar.update(task, description=f"round {number} of {given.rounds}: {name}")
                found.append(run(name, settings))
                check(name, found[-1], rows, changelog)
                bar.console.print(f"round {number}: {name}: {found[-1]['seconds']:.2f} s")
                bar.advance(task)
    return {"machine": machine.machine(), "load_before": round(load, 1), "broker": broker.NAMES[kind], "rows": rows,
            "changelog": dataclasses.asdict(changelog), "rounds": given.rounds, "runs": runs}  # fmt: skip


def cells(found: dict[str, Any]) -> list[list[str]]:
    """A heading, and a row for each of them."""
    records = found["changelog"]["records"]
    table = [["who", "s, median", "min to max", "records/s", "times Faust"]]
    ours = found["runs"]["tillstream"]
    shown = {
        "tillstream, ready to fold": ours,
        "tillstream, its changelog read": [{"seconds": one["read"]} for one in ours],
        "Faust, its changelog read": found["runs"]["Faust"],
    }
    for name, runs in shown.items():
        took = Spread.of([one["seconds"] for one in runs])
        times = Spread.of([
            other["seconds"] / one["seconds"] for one, other in zip(runs, found["runs"]["Faust"], strict=True)
        ])  # fmt: skip
        said = "1" if name.startswith("Faust") else f"{times.median:.1f} ({times.low:.1f} to {times.high:.1f})"
        spread = f"{took.low:.2f} to {took.high:.2f}"
        table.append([name, f"{took.median:.2f}", spread, f"{records / took.median:,.0f}", said])
    return table


def conditions(found: dict[str, Any]) -> str:
    """What was read, and what the time went into."""
    ours = found["runs"]["tillstream"]
    memory = Spread.of([one["memory"] / 2**20 for one in ours]).median
    changelog = found["changelog"]
    busy = f" Other work had the machine as well (load {found['load_before']})." if found["load_before"] > 1 else ""
    return (
        f"{found['rows']:,} rows in {ours[0]['windows']:,} open windows, {changelog['records']:,} records,"
        f" {changelog['size'] / 2**20:.0f} MiB before compression. Faust keeps bytes; tillstream, once it"
        f" has read, builds its state, reads on and compares the log. Its memory grows by {memory:.0f} MiB. With"
        f" {found['broker']} on {found['machine']}, {found['rounds']} round(s) in alternation.{busy}"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--broker", choices=list(broker.NAMES), help="Apache Kafka where there is Java, by default")
    parser.add_argument("--write", action="store_true", help="put the results into docs/performance.md")
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    found = measured(given)
    said = conditions(found)
    told.tell(given, found, "restore", "a changelog read back", cells(found), said)


if __name__ == "__main__":
    main()
