"""One worker against the textbook Faust agent, on the same broker and receipts, in alternation.

    python bench/throughput.py [--rounds 3] [--limit RECEIPTS] [--peer-lines 100000] [--json]

Ours: from the worker having its partitions until the last offset is committed, which is after the changelog and the
rows are acknowledged; the totals are then read back from `sales.windows` and compared with the receipts' own sum.
The peer runs on the first 100,000 lines (it is slow), and its changelog is read back and compared as well.
"""

from __future__ import annotations

import argparse
import asyncio
import dataclasses
import json
import statistics
import sys
from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

from lib import contest
from rich.console import Console
from rich.table import Table

from schemas import topics, window
from schemas.decode import decode
from tillstream.local import demo_data
from tillstream.local.launch import settings_environment
from tillstream.settings import Settings

WINDOWS = {"5 minutes": timedelta(minutes=5), "1 hour": timedelta(hours=1)}
PEER = "textbook Faust, 1 hour"
note = Console(stderr=True)


def expected(receipts: int | None) -> int:
    """Revenue of the first receipts, in ten-thousandths."""
    return sum(sum(decode(one.value).lines.amount) for one in demo_data.receipts(receipts))


async def ours_revenue(settings: Settings) -> int:
    """Revenue by what stands in sales.windows: of each row the newest version."""
    rows: dict[tuple[str, ...], tuple[int, int]] = {}
    async for record in contest.all_records(settings, settings.topic_prefix + topics.WINDOWS):
        found = window.decode(record.value)
        if isinstance(found, window.CountsMessage):
            continue
        for currency, days in found.rows.items():
            for day, skus in days.items():
                for sku, row in skus.items():
                    key = (found.store_id, str(found.window_start), currency, day, sku)
                    totals = window.Totals(*row)
                    if totals.version >= rows.get(key, (-1, 0))[0]:
                        rows[key] = (totals.version, totals.revenue)
    return sum(revenue for _, revenue in rows.values())


async def peer_revenue(settings: Settings) -> int:
    """Revenue by the peer's changelog: the last record of each key holds."""
    last: dict[bytes, bytes] = {}
    async for record in contest.all_records(settings, "textbook-revenue-changelog"):
        last[record.key] = record.value
    return int(sum(Decimal(json.loads(value)) for value in last.values()) * 10_000)


def run_ours(width: timedelta, receipts: int | None, revenue: int) -> contest.Run:
    with contest.fresh_broker(width) as settings:
        _, lines = asyncio.run(contest.preload(settings, receipts))
        run = asyncio.run(contest.tillstream_worker(settings).race(settings, lines))
        found = asyncio.run(ours_revenue(settings))
    if found != revenue:
        raise SystemExit(f"tillstream is wrong: {found} instead of {revenue}")
    return run


def run_peer(receipts: int, revenue: int) -> contest.Run:
    with contest.fresh_broker(timedelta(hours=1)) as settings:
        _, lines = asyncio.run(contest.preload(settings, receipts))
        program = Path(__file__).parent / "peers" / "textbook_faust.py"
        peer = contest.Contestant(
            [sys.executable, str(program), "worker", "--without-web", "-l", "warn"],
            {
                **settings_environment(settings),
                "APP_DATADIR": str(settings.data_dir),
            },
            "textbook",
            lambda line: "counting" in line,
        )
        run = asyncio.run(peer.race(settings, lines))
        found = asyncio.run(peer_revenue(settings))
    if found != revenue:
        note.print(f"[yellow]the peer is wrong: {found} instead of {revenue}[/]")
    return run


def receipts_of(lines: int) -> int:
    """How many receipts hold about so many lines."""
    many = 0
    for count, receipt in enumerate(demo_data.receipts(), 1):
        many += receipt.lines
        if many >= lines:
            return count
    return demo_data.RECEIPTS


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--limit", type=int, default=None, help="receipts of ours; all by default")
    parser.add_argument("--peer-lines", type=int, default=100_000, help="lines of the peer; 0 leaves it out")
    parser.add_argument("--window", choices=list(WINDOWS), action="append", help="one of ours only; both by default")
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()

    peer_receipts = receipts_of(given.peer_lines)
    whole, part = expected(given.limit), expected(peer_receipts)
    contestants: dict[str, Callable[[], contest.Run]] = {
        f"tillstream, {name}": lambda width=width: run_ours(width, given.limit, whole)
        for name, width in WINDOWS.items()
        if not given.window or name in given.window
    }
    if given.peer_lines:
        contestants[PEER] = lambda: run_peer(peer_receipts, part)
    runs: dict[str, list[contest.Run]] = {name: [] for name in contestants}
    with note.status("") as status:
        for number in range(given.rounds):
            for name, contestant in contestants.items():
                status.update(f"round {number + 1} of {given.rounds}: {name}")
                runs[name].append(contestant())
                last = runs[name][-1]
                note.print(f"round {number + 1}: {name}: {last.rate:,.0f} lines/s")
    report(runs, as_json=given.json)


def report(runs: dict[str, list[contest.Run]], *, as_json: bool) -> None:
    """Ratios first: the pairs of each round, then the rates."""
    peer = [run.rate for run in runs.get(PEER, ())]

    def ratio(found: list[contest.Run]) -> float | None:
        return statistics.median(run.rate / other for run, other in zip(found, peer, strict=True)) if peer else None

    if as_json:
        figures = {
            name: {"rates": [run.rate for run in found], "ratio_to_peer": ratio(found),
                   "runs": [dataclasses.asdict(run) for run in found]}
            for name, found in runs.items()
        }  # fmt: skip
        sys.stdout.write(json.dumps({"machine": contest.machine(), "contestants": figures}, indent=2) + "\n")
        return
    table = Table(title="lines/s until everything is durable and committed", title_justify="left")
    for column in (
        "contestant",
        "times the peer",
        "median",
        "min",
        "max",
        "CPU µs a line, start included",
        "MiB at the end",
    ):
        table.add_column(column, justify="left" if column == "contestant" else "right")
    for name, found in runs.items():
        rates = [run.rate for run in found]
        times = ratio(found)
        cpu = statistics.median(run.cpu_seconds / run.lines * 1e6 for run in found)
        memory = max(run.memory for run in found) / 1024**2
        table.add_row(
            name,
            f"{times:.1f}" if times else "—",
            f"{statistics.median(rates):,.0f}",
            f"{min(rates):,.0f}",
            f"{max(rates):,.0f}",
            f"{cpu:.1f}",
            f"{memory:,.0f}",
        )
    out = Console() if sys.stdout.isatty() else Console(width=120)
    out.print(table)
    out.print(f"measured on {contest.machine()}", soft_wrap=True)


if __name__ == "__main__":
    main()
