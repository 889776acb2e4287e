"""The order of the demo: servers, products, receipts and stock, everything readable, reconciled, alerts, figures."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime

from clickhouse_connect.driver.client import Client
from rich.progress import Progress, TaskID

from schemas.errors import TillstreamError
from streams.windows import Windows
from tillstream import ch, console
from tillstream.demo import figures, memory, restock_proof, simulation
from tillstream.demo.feed_watch import FeedWatch
from tillstream.demo.figures import Figures
from tillstream.demo.follow import Readable, follow
from tillstream.demo.live_stock import LiveStock
from tillstream.demo.restock_proof import RestockReport
from tillstream.demo.simulation import Simulation
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
    """What the demo did. `readable` is how many seconds after the first receipt the last one could be read.

    `published` are the real receipts, `invented` those of the store that does not exist, `moves` simulated movements.
    """

    published: Published = NOTHING
    invented: int = 0
    moves: int = 0
    restock: RestockReport = field(default_factory=RestockReport)
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
            group.create_task(asyncio.to_thread(load_products, stack.settings, demo_data.products()))
            planning = group.create_task(asyncio.to_thread(simulation.plan, limit))
    plan = planning.result()
    outcome.invented, outcome.moves = plan.invented, plan.moves
    client = await asyncio.to_thread(ch.connect, stack.settings)
    try:
        watch = FeedWatch(stack.settings)
        with outcome.phase("count"):
            await stack.while_alive(_count(stack, client, plan, watch, outcome))
        with outcome.phase("reconcile"):
            await stack.while_alive(_reconcile(stack, outcome))
        if plan.live:
            with outcome.phase("alerts"), console.busy("deciding every alert again from the log"):
                outcome.restock = await stack.while_alive(_prove(stack, client, plan, watch))
        with outcome.phase("look"), console.busy("looking for what moved most"):
            outcome.figures = await stack.while_alive(asyncio.to_thread(figures.read, client))
        outcome.memory = memory.resident(stack.pids())
    finally:
        client.close()


async def _count(stack: Stack, client: Client, plan: Simulation, watch: FeedWatch, outcome: Outcome) -> None:
    """Publish, and watch until ClickHouse has it all."""
    begun = time.monotonic()
    with console.progress() as bar:
        bars = _Bars(bar, plan, watch, begun)
        published: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        async with asyncio.TaskGroup() as group:
            following = group.create_task(follow(client, published, bars.readable))
            flood = publish(
                stack.settings,
                bars.counted(demo_data.receipts_of(plan.flood)),
                on_progress=bars.published,
                on_wait=bar.console.print,
            )
            if plan.live:
                live = LiveStock(stack.settings, watch, plan.live, bars.live, bar.console.print)
                # Nobody follows the feed any longer than there is something to hear: that takes a tenth of a core.
                async with watch:
                    # Restock takes seconds to begin, in which those receipts are sent that it need not know of.
                    async with asyncio.TaskGroup() as both:
                        both.create_task(live.begin(plan.products))
                        flooding = both.create_task(flood)
                    sent = flooding.result()
                    await live.play()
            else:
                sent = await flood
            outcome.published = Published(plan.real, plan.lines, sent.seconds)
            published.set_result(plan.real + plan.invented)
            await following
    outcome.readable = time.monotonic() - begun


async def _reconcile(stack: Stack, outcome: Outcome) -> None:
    with console.progress() as bar:
        outcome.report = await reconcile(stack.settings, RECONCILE_WAIT, bar)


async def _prove(stack: Stack, client: Client, plan: Simulation, watch: FeedWatch) -> RestockReport:
    windows = Windows(stack.settings.window_us, stack.settings.grace_us)
    expected = await asyncio.to_thread(restock_proof.decided, watch.messages, windows)
    return await restock_proof.prove(client, expected, plan.on_hand)


class _Bars:
    """Receipts that Kafka has, that are counted, that are in the ledger; and simulated movements of stock."""

    def __init__(self, bar: Progress, plan: Simulation, watch: FeedWatch, begun: float) -> None:
        self._bar = bar
        self._watch = watch
        self._begun = begun
        self._lines = 0
        total = plan.real + plan.invented
        self._sent = self._add("published", total)
        self._counted = self._add("counted", total)
        self._ledger = self._add("in the ledger", total)
        self._moved = self._add("simulated stock", plan.moves) if plan.moves else None

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

    def live(self, receipts: int, moves: int, day: datetime) -> None:
        """So many receipts and movements more are told to restock, the last of this day."""
        self._bar.update(self._sent, advance=receipts)
        assert self._moved is not None, "something is simulated"
        states = self._watch.states
        text = f"{day:%Y-%m-%d}, {states['raised']:,} raised, {states['resolved']:,} resolved"
        self._bar.update(self._moved, advance=moves, rate=text)

    def readable(self, now: Readable) -> None:
        """So much can be read."""
        self._bar.update(self._counted, completed=now.counted, rate=f"{self._rate(now.rows):,.0f} rows/s")
        self._bar.update(self._ledger, completed=now.ledger, rate=f"{self._rate(now.ledger):,.0f} receipts/s")

    def _rate(self, many: int) -> float:
        return many / max(time.monotonic() - self._begun, 0.001)
