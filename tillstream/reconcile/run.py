"""The order of a reconciliation: note the ends, wait, recompute, compare."""

from __future__ import annotations

import asyncio
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import polars as pl
from aiokafka import TopicPartition
from rich.progress import Progress

from schemas import topics
from schemas.epoch import Epoch
from schemas.errors import Stop
from tillstream import ch, epochs
from tillstream.reconcile import log
from tillstream.reconcile.compare import Difference, compare, count_differences, table_differences
from tillstream.reconcile.found import SECOND, Found, between, outside
from tillstream.reconcile.recompute import Recomputed, recompute
from tillstream.reconcile.spill import DATE_KEY, FIGURES, KEY, Spill
from tillstream.settings import Settings
from tillstream.waiting import wait_for_clickhouse, wait_for_kafka

RESULTS = ("folded", "duplicate", "late", "rejected", "ignored")
SHOWN = 50
STORE_KEY = ["store_id", "window_start"]
# Rows of sales, receipts by store and window, and the keys of rows that have moved on meanwhile.
Answers = tuple[pl.DataFrame, pl.DataFrame, pl.DataFrame]


@dataclass(slots=True)
class Report:
    """What a reconciliation found. `rows` counts the rows that were compared, `different` those that differ.

    `waited` is how many of its `seconds` passed until worker and sinks had read to the noted ends. `in_flight` rows
    and `counts_in_flight` partitions have moved on meanwhile. `cut` partitions have lost their beginning to
    retention; then only windows from `compared_from` on (microseconds) were compared.
    """

    rows: int = 0
    different: int = 0
    differences: list[Difference] = field(default_factory=list)
    in_flight: int = 0
    counts_in_flight: int = 0
    cut: int = 0
    compared_from: int = 0
    inputs: int = 0
    counts: dict[str, int] = field(default_factory=lambda: dict.fromkeys(RESULTS, 0))
    waited: float = 0.0
    seconds: float = 0.0

    def add(self, many: int, shown: list[Difference]) -> None:
        """Take differences in; only the first SHOWN are kept."""
        self.different += many
        self.differences += shown[: SHOWN - len(self.differences)]


async def reconcile(
    settings: Settings, wait: float = 60.0, bar: Progress | None = None, number: int | None = None
) -> Report:
    """Compare ClickHouse with what batch code computes from the log; raises Unavailable when someone lags.

    `number` is that of the epoch to judge, None for the newest live one. Where others are live beside it, their log is
    gone, and their rows are left alone.
    """
    begun = time.monotonic()
    await wait_for_kafka(settings, wait)
    await wait_for_clickhouse(settings, wait)
    epoch, alone = await _epoch(settings, number)
    settings = epochs.settings_of(settings, epoch)
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
            found = Found(client, epoch.epoch, ends, alone=alone)
            await asyncio.to_thread(_compare, spill, found, done, report, bar)
            await asyncio.to_thread(_compare_counts, found, done, settings.topic_prefix + topics.RECEIPTS, report)
            now = await log.ends_of(settings, settings.topic_prefix + topics.RECEIPTS)
            beyond = await asyncio.to_thread(found.beyond, now)
            report.add(len(beyond), beyond)
        finally:
            client.close()
    report.seconds = time.monotonic() - begun
    return report


async def _epoch(settings: Settings, number: int | None) -> tuple[Epoch, bool]:
    """The epoch to judge, and whether its rows have to be told from those of other live ones."""
    known = await epochs.read_all(settings)
    entry = epochs.live(known, settings) if number is None else known.get(number)
    if entry is None:
        raise Stop("There is no such epoch.", "Run `tillstream migrate`.")
    return entry.epoch, [one.epoch.epoch for one in epochs.counting(known)] != [entry.epoch.epoch]


async def _wait(settings: Settings, epoch: int, ends: dict[TopicPartition, int], deadline: float) -> None:
    """First the worker, since what it sends is what the sink must have passed."""
    prefix = settings.topic_prefix
    await log.wait_until_passed(settings, topics.group_id(prefix, epoch), ends, deadline)
    await log.wait_until_passed(settings, topics.group_id(prefix, epoch, "ledger"), ends, deadline)
    for name in (topics.WINDOWS, topics.LATE, topics.REJECTED):
        sent = await log.ends_of(settings, prefix + name)
        await log.wait_until_passed(settings, topics.rows_group(prefix), sent, deadline)


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


def _compare(spill: Spill, found: Found, done: Recomputed, report: Report, bar: Progress | None) -> None:
    """Row by row, some days at a time; then what lies on no day of the log; then the business dates."""
    ranges = spill.ranges()
    dates = [spill.dates(0, 0)]
    advance = _bar(bar, "comparing with ClickHouse", len(ranges) + 2)
    moved = []
    conditions = [*(between(*days) for days in ranges), outside(ranges)]
    # The last condition is that of no day of the log, of which nothing is expected.
    for days, answers in zip([*ranges, (0, 0)], _asked_ahead(found, conditions), strict=True):
        expected = spill.rows(*days), spill.stores(*days)
        moved.append(_compare_windows(expected, answers, done.floor, report))
        dates.append(spill.dates(*days))
        advance(1)
    if not done.floor:
        totals = found.dates()
        moving = pl.concat([*moved, found.moving("1")]).select(DATE_KEY).unique()
        wanted = pl.concat(dates).group_by(DATE_KEY).agg(pl.col(FIGURES).sum())
        wanted, totals = (side.join(moving, on=DATE_KEY, how="anti") for side in (wanted, totals))
        report.add(*compare("sales_by_business_date", wanted, totals, DATE_KEY, FIGURES, SHOWN))
    advance(1)


def _asked_ahead(found: Found, conditions: Sequence[str]) -> Iterator[Answers]:
    """What ClickHouse has under each condition; while one answer is compared, the next is on its way."""

    def ask(where: str) -> Answers:
        rows, stores = found.sales(where), found.receipt_counts(where)
        return rows, stores, found.moving(where)

    with ThreadPoolExecutor(1) as asking:
        answer = asking.submit(ask, conditions[0])
        for following in (*conditions[1:], None):
            come = answer.result()
            if following is not None:
                answer = asking.submit(ask, following)
            yield come


def _compare_windows(
    expected: tuple[pl.DataFrame, pl.DataFrame], answers: Answers, floor: int, report: Report
) -> pl.DataFrame:
    """Compare the rows and receipts of some windows; gives the rows in flight, which are left out."""
    rows, stores, moving = answers

    def settle(side: pl.DataFrame, key: list[str]) -> pl.DataFrame:
        """Leave out rows in flight, and windows that the log's beginning may have touched."""
        kept = side.cast({"window_start": pl.Int64}).filter(pl.col("window_start") >= floor)
        return kept.join(moving.cast({"window_start": pl.Int64}), on=key, how="anti") if moving.height else kept

    settled = settle(rows, KEY)
    report.rows += settled.height
    report.in_flight += moving.select(KEY).n_unique() if moving.height else 0
    report.add(*compare("sales", settle(expected[0], KEY), settled, KEY, FIGURES, SHOWN))
    wanted, there = settle(expected[1], STORE_KEY), settle(stores, STORE_KEY)
    report.add(*compare("receipt_counts", wanted, there, STORE_KEY, ["receipts"], SHOWN))
    return moving


def _compare_counts(found: Found, done: Recomputed, topic: str, report: Report) -> None:
    """The counts by result, and whether every message is in the table that its result names."""
    counts, moved = found.counts()
    whole = {partition: by for partition, by in done.counts.items() if partition not in done.cut}
    wrong = count_differences(
        {partition: by for partition, by in whole.items() if partition not in moved},
        {partition: by for partition, by in counts.items() if partition not in moved | done.cut},
    )
    ledger = {
        partition: {"messages": sum(by.values()) - by.get("rejected", 0) - by.get("ignored", 0),
                    "paid": done.paid[partition]}
        for partition, by in whole.items()
    }  # fmt: skip
    for table, wanted, there in (
        ("late_lines", _of("late", whole), found.late()),
        ("rejected", _of("rejected", whole), found.rejected(topic)),
        ("receipts", ledger, found.ledger()),
    ):
        wrong += table_differences(table, wanted, {p: by for p, by in there.items() if p not in done.cut})
    report.add(len(wrong), wrong)
    report.counts_in_flight = len(moved)
    report.cut, report.compared_from = len(done.cut), done.floor


def _of(result: str, counts: dict[int, dict[str, int]]) -> dict[int, dict[str, int]]:
    return {partition: {"messages": by.get(result, 0)} for partition, by in counts.items()}
