"""The order of the demo: servers, products, receipts, everything readable, reconciled, figures."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from clickhouse_connect.driver.client import Client
from rich.progress import Progress, TaskID

from schemas.errors import TillstreamError
from tillstream import ch, console
from tillstream.demo import figures, memory
from tillstream.demo.figures import Figures
from tillstream.demo.follow import Readable, follow
from tillstream.local import demo_data
from tillstream.local.stack import Stack
from tillstream.outgoing import Outgoing
from tillstream.products import load_products
from tillstream.reconcile.run import Report, reconcile
from tillstream.replay import Published, publish

RECONCILE_WAIT = 120.0
NOTHING = Published(0, 0, 0.0)


@dataclass(slots=True)
class Outcome:
    """What the demo did. `readable` is how many seconds after the first receipt the last one could be read."""

    published: Published = NOTHING
    readable: float = 0.0
    report: Report = field(default_factory=Report)
    figures: Figures = field(default_factory=Figures)
    memory: dict[str, int] = field(default_factory=dict)
    phases: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def phase(self, name: str) -> Iterator[None]:
        """Note how long the part of the demo inside takes."""
        begun = time.monotonic()
        yield
        self.phases[name] = time.monotonic() - begun


async def run(stack: Stack, limit: int | None) -> Outcome:
    """Start the stack, send `limit` receipts through it (None: all) and prove it; the stack runs on.

    Raises Stop and Unavailable.
    """
    outcome = Outcome()
    try:
        await _run(stack, limit, outcome)
    except* TillstreamError as faults:
        raise _first(faults) from None
    return outcome


def _first(faults: BaseExceptionGroup[TillstreamError]) -> TillstreamError:
    """One of them: what several tasks complain of has one cause."""
    fault = faults.exceptions[0]
    return _first(fault) if isinstance(fault, BaseExceptionGroup) else fault


async def _run(stack: Stack, limit: int | None, outcome: Outcome) -> None:
    with outcome.phase("servers"), console.busy("the servers start"):
        report = await stack.start_servers()
    with outcome.phase("roles"), console.busy("products are loaded, worker and sink join their groups"):
        async with asyncio.TaskGroup() as group:
            group.create_task(stack.start_roles(report.epoch))
            group.create_task(asyncio.to_thread(_load_products, stack))
    client = await asyncio.to_thread(ch.connect, stack.settings)
    try:
        with outcome.phase("count"):
            await stack.while_alive(_count(stack, client, limit, outcome))
        with outcome.phase("reconcile"):
            await stack.while_alive(_reconcile(stack, outcome))
        with outcome.phase("look"), console.busy("looking for what moved most"):
            outcome.figures = await stack.while_alive(asyncio.to_thread(figures.read, client))
        outcome.memory = memory.resident(stack.pids())
    finally:
        client.close()


def _load_products(stack: Stack) -> None:
    load_products(stack.settings, demo_data.products())


async def _count(stack: Stack, client: Client, limit: int | None, outcome: Outcome) -> None:
    """Publish, and watch until ClickHouse has it all."""
    total = demo_data.RECEIPTS if limit is None else min(limit, demo_data.RECEIPTS)
    begun = time.monotonic()
    with console.progress() as bar:
        bars = _Bars(bar, total, begun)
        published: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        async with asyncio.TaskGroup() as group:
            following = group.create_task(follow(client, published, bars.readable))
            outcome.published = await publish(
                stack.settings,
                bars.counted(demo_data.receipts(limit)),
                on_progress=bars.published,
                on_wait=bar.console.print,
            )
            published.set_result(outcome.published.receipts)
            await following
    outcome.readable = time.monotonic() - begun


async def _reconcile(stack: Stack, outcome: Outcome) -> None:
    with console.progress() as bar:
        outcome.report = await reconcile(stack.settings, RECONCILE_WAIT, bar)


class _Bars:
    """Three bars: receipts that Kafka has, that are counted, that are in the ledger."""

    def __init__(self, bar: Progress, total: int, begun: float) -> None:
        self._bar = bar
        self._begun = begun
        self._lines = 0
        self._sent = self._add("published", total)
        self._counted = self._add("counted", total)
        self._ledger = self._add("in the ledger", total)

    def _add(self, text: str, total: int) -> TaskID:
        return self._bar.add_task(text, total=total, rate="")

    def counted(self, receipts: Iterator[Outgoing]) -> Iterator[Outgoing]:
        """Add up the lines of what passes."""
        for receipt in receipts:
            self._lines += receipt.lines
            yield receipt

    def published(self, many: int) -> None:
        """So many receipts more are acknowledged."""
        self._bar.update(self._sent, advance=many, rate=f"{self._rate(self._lines):,.0f} lines/s")

    def readable(self, now: Readable) -> None:
        """So much can be read."""
        self._bar.update(self._counted, completed=now.counted, rate=f"{self._rate(now.rows):,.0f} rows/s")
        self._bar.update(self._ledger, completed=now.ledger, rate=f"{self._rate(now.ledger):,.0f} receipts/s")

    def _rate(self, many: int) -> float:
        return many / max(time.monotonic() - self._begun, 0.001)
