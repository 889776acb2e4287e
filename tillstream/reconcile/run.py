"""The order of a reconciliation: note the ends, wait, recompute, compare."""

from __future__ import annotations

import asyncio
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import polars as pl
from aiokafka import TopicPartition
from rich.progress import Progress

from schemas import topics
from schemas.errors import Stop
from tillstream import ch, epochs
from tillstream.reconcile import log
from tillstream.reconcile.compare import Difference, compare, count_differences
from tillstream.reconcile.found import SECOND, Found, between, outside
from tillstream.reconcile.recompute import Recomputed, recompute
from tillstream.reconcile.spill import FIGURES, KEY, Spill
from tillstream.settings import Settings
from tillstream.waiting import wait_for_clickhouse, wait_for_kafka

RESULTS = ("folded", "duplicate", "late", "rejected", "ignored")
SHOWN = 50
STORE_KEY = ["store_id", "window_start"]


@dataclass(slots=True)
class Report:
    """What a reconciliation found. `rows` counts the rows that were compared, `different` those that differ.

    `waited` is how many of its `seconds` passed until worker and sinks had read to the noted ends.
    """

    rows: int = 0
    different: int = 0
    differences: list[Difference] = field(default_factory=list)
    in_flight: int = 0
    inputs: int = 0
    counts: dict[str, int] = field(default_factory=lambda: dict.fromkeys(RESULTS, 0))
    waited: float = 0.0
    seconds: float = 0.0

    def add(self, many: int, shown: list[Difference]) -> None:
        """Take differences in; only the first SHOWN are kept."""
        self.different += many
        self.differences += shown[: SHOWN - len(self.differences)]


async def reconcile(settings: Settings, wait: float = 60.0, bar: Progress | None = None) -> Report:
    """Compare ClickHouse with what batch code computes from the log; raises Unavailable when someone lags."""
    begun = time.monotonic()
    await wait_for_kafka(settings, wait)
    await wait_for_clickhouse(settings, wait)
    live = epochs.live(await epochs.read_all(settings), settings)
    if live is None:
        raise Stop("There is no live epoch.", "Run `tillstream migrate`.")
    epoch = live.epoch
    ends = await log.ends_of(settings, settings.topic_prefix + topics.RECEIPTS)
    await _wait(settings, epoch.epoch, ends, time.monotonic() + wait)
    report = Report(waited=time.monotonic() - begun)
    with tempfile.TemporaryDirectory(prefix="tillstream-reconcile-") as folder:
        spill = Spill(Path(folder))
        advance = _bar(bar, "recomputing from the log", sum(ends.values()))
        done = await recompute(settings, epoch.window * SECOND, epoch.grace * SECOND, ends, spill, advance)
        _count(report, done)
        client = await asyncio.to_thread(ch.connect, settings)
        try:
            found = Found(client, ends)
            await asyncio.to_thread(_compare, spill, found, done.floor, report, bar)
            counts = await asyncio.to_thread(found.counts, epoch.epoch)
        finally:
            client.close()
    flat = [(partition, result, many) for partition, by in counts.items() for result, many in by.items()]
    wrong = count_differences({p: by for p, by in done.counts.items() if p in counts}, flat, RESULTS)
    report.add(len(wrong), wrong)
    report.seconds = time.monotonic() - begun
    return report


async def _wait(settings: Settings, epoch: int, ends: dict[TopicPartition, int], deadline: float) -> None:
    """First the worker, since what it sends is what the sink must have passed."""
    prefix = settings.topic_prefix
    await log.wait_until_passed(settings, topics.group_id(prefix, epoch), ends, deadline)
    await log.wait_until_passed(settings, topics.group_id(prefix, epoch, "ledger"), ends, deadline)
    for name in (topics.WINDOWS, topics.LATE, topics.REJECTED):
        sent = await log.ends_of(settings, prefix + name)
        await log.wait_until_passed(settings, topics.group_id(prefix, epoch, "clickhouse"), sent, deadline)


def _bar(bar: Progress | None, text: str, total: int) -> Callable[[int], Any]:
    if bar is None:
        return lambda _: None
    task = bar.add_task(text, total=max(1, total), rate="")
    return lambda many: bar.advance(task, many)


def _count(report: Report, done: Recomputed) -> None:
    for counts in done.counts.values():
        for result, many in counts.items():
            report.counts[result] += many
    report.inputs = sum(report.counts.values())


def _compare(spill: Spill, found: Found, floor: int, report: Report, bar: Progress | None) -> None:
    ranges = spill.ranges()
    moving = found.moving()
    report.in_flight = moving.height

    def settle(side: pl.DataFrame, key: list[str]) -> pl.DataFrame:
        """Leave out rows in flight, and windows before the first retained record."""
        kept = side.cast({"window_start": pl.Int64}).filter(pl.col("window_start") >= floor)
        return kept.join(moving.cast({"window_start": pl.Int64}), on=key, how="anti") if moving.height else kept

    advance = _bar(bar, "comparing with ClickHouse", len(ranges))
    for days in ranges:
        rows = settle(found.sales(between(*days)), KEY)
        report.rows += rows.height
        report.add(*compare("sales", settle(spill.rows(*days), KEY), rows, KEY, FIGURES, SHOWN))
        stores = settle(found.receipt_counts(between(*days)), STORE_KEY)
        wanted = settle(spill.stores(*days), STORE_KEY)
        report.add(*compare("receipt_counts", wanted, stores, STORE_KEY, ["receipts"], SHOWN))
        advance(1)
    extra = settle(found.sales(outside(ranges)), KEY)
    report.add(*compare("sales", spill.rows(0, 0), extra, KEY, FIGURES, SHOWN))
