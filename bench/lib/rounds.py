"""Run contestants in alternation, with a progress bar: a machine that gets slower, does so for all of them."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Callable, Sequence

from lib import totals
from lib.broker import Kind, fresh_broker
from lib.entries import Entry
from lib.log import preload
from lib.race import Run
from lib.warm import warm
from tillstream import console
from tillstream.local import demo_data

Runs = dict[str, list[Run]]


@dataclasses.dataclass(frozen=True, slots=True)
class Course:
    """What all contestants run on: the broker, its partitions, how many receipts, and how many for slow ones."""

    broker: Kind
    partitions: int
    receipts: int | None
    slow_receipts: int


def alternate(entries: Sequence[Entry], course: Course, rounds: int, after_each: Callable[[Runs], None]) -> Runs:
    """All contestants, one after the other, `rounds` times; what is finished when Ctrl-C comes is given."""
    runs: Runs = {entry.name: [] for entry in entries}
    wanted: dict[int | None, dict[str, int]] = {}
    with console.progress() as bar:
        task = bar.add_task("", total=rounds * len(entries), rate="")
        try:
            for number in range(1, rounds + 1):
                for entry in entries:
                    bar.update(task, description=f"round {number} of {rounds}: {entry.name}")
                    receipts = course.slow_receipts if entry.slow else course.receipts
                    if receipts not in wanted:
                        wanted[receipts] = totals.expected(one.value for one in demo_data.receipts(receipts))
                    run = one_run(entry, course, receipts, wanted[receipts])
                    runs[entry.name].append(run)
                    after_each(runs)
                    bar.console.print(_sentence(number, entry, run), soft_wrap=True)
                    bar.advance(task)
        except KeyboardInterrupt:
            bar.console.print("Stopped; what follows are the rounds until here.")
    return runs


def one_run(entry: Entry, course: Course, receipts: int | None, wanted: dict[str, int]) -> Run:
    """A fresh broker, made warm, the log, the race, and its totals read back."""
    with fresh_broker(entry.width, course.broker, course.partitions) as settings:
        asyncio.run(warm(settings))
        _, lines = asyncio.run(preload(settings, receipts, entry.topics))
        run = asyncio.run(entry.start(settings).race(settings, lines))
        found = asyncio.run(entry.found(settings))
    return dataclasses.replace(run, differences=totals.differences(wanted, found))


def receipts_of(lines: int) -> int:
    """How many receipts hold about so many lines."""
    many = 0
    for count, receipt in enumerate(demo_data.receipts(), 1):
        many += receipt.lines
        if many >= lines:
            return count
    return demo_data.RECEIPTS


def _sentence(number: int, entry: Entry, run: Run) -> str:
    wrong = f"; {run.differences:,} totals are WRONG" if run.differences else ""
    return f"round {number}: {entry.name}: {run.rate:,.0f} lines/s, all of its totals read back{wrong}"
