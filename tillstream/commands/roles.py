"""`tillstream worker` and `tillstream sink`: one role, as real deployments run it; several of each can run."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import threading
from collections.abc import Awaitable, Coroutine
from typing import Annotated, Any, Protocol, TypeVar

import typer

from schemas.epoch import Epoch
from schemas.errors import Again, Stop
from tillstream import aio, console, epochs, logs, metrics_server
from tillstream import settings as settings_module
from tillstream.local.supervisor import UNMENDABLE
from tillstream.migrate import check_migrated
from tillstream.settings import Settings
from tillstream.waiting import wait_for_clickhouse, wait_for_kafka

log = logging.getLogger(__name__)

T = TypeVar("T")

# A stop takes at most ten seconds. A request that nobody answers keeps its thread, and a thread cannot be cancelled.
PATIENCE = 8.0

EPOCH = typer.Option(
    "--epoch", min=1, help="Work for this epoch alone, as `tillstream rebuild` does; default: the live one."
)


class Role(Protocol):
    """What a role does: given the settings, an epoch, the event that ends it, and whether it stays with the epoch."""

    def __call__(self, settings: Settings, epoch: Epoch, stop: asyncio.Event, *, only: bool) -> Awaitable[None]:
        """Run until the event; raises Stop."""


def register(app: typer.Typer) -> None:
    """Add the commands."""

    @app.command("worker")
    def worker(epoch: Annotated[int | None, EPOCH] = None) -> None:
        """Run one worker: reads receipts, sums them per store, SKU and window, publishes the totals.

        Waits for Kafka; stops where the topics are not as `tillstream migrate` makes them.

        [bold]Examples[/]

          tillstream worker

          TILLSTREAM_METRICS_BIND=127.0.0.1:9101 tillstream worker

          tillstream worker --epoch 2
        """
        from tillstream.roles import run_worker

        _run("worker", run_worker, epoch)

    @app.command("sink")
    def sink(epoch: Annotated[int | None, EPOCH] = None) -> None:
        """Run one sink: writes totals, late lines, dead letters and the ledger of receipts into ClickHouse.

        Where endpoints are configured, it sends webhooks too.

        Waits for Kafka and ClickHouse, however long they are away; nothing is lost by it.

        [bold]Examples[/]

          tillstream sink

          TILLSTREAM_CLICKHOUSE_URL=http://127.0.0.1:8123/tillstream tillstream sink

          tillstream sink --epoch 2
        """
        from tillstream.sink_role import run_sink

        _run("sink", run_sink, epoch, clickhouse=True)


def _run(name: str, role: Role, epoch: int | None, *, clickhouse: bool = False) -> None:
    logs.setup(name)
    try:
        aio.run(_until_signal(settings_module.load(), role, epoch, clickhouse=clickhouse))
    except Stop as stop:
        # A code of its own, so that a supervisor knows that starting it again is of no use.
        console.fail(stop.sentence, stop.hint)
        raise typer.Exit(UNMENDABLE) from None
    except Again as again:
        console.fail(again.sentence, "It goes on where it was when it is started again.")
        raise typer.Exit(1) from None


async def _until_signal(settings: Settings, role: Role, only: int | None, *, clickhouse: bool) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()

    def end() -> None:
        if not stop.is_set():
            stop.set()
            last = threading.Timer(PATIENCE, _leave)
            last.daemon = True
            last.start()

    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, end)
    stop_metrics = metrics_server.serve(settings)
    try:
        epoch = await _unless_stopped(_epoch(settings, only, clickhouse=clickhouse), stop)
        if epoch is not None:
            await role(epochs.settings_of(settings, epoch), epoch, stop, only=only is not None)
    finally:
        stop_metrics()


def _leave() -> None:
    """End at once: what is not committed is read again, so that nothing is lost by it."""
    log.warning("ends without an answer that it still waits for")
    os._exit(0)


async def _epoch(settings: Settings, only: int | None, *, clickhouse: bool) -> Epoch:
    """The epoch to work for, once the neighbours of the role answer."""
    await wait_for_kafka(settings, None)
    if clickhouse:
        await wait_for_clickhouse(settings, None)
    return await check_migrated(settings) if only is None else await _that_one(settings, only)


async def _that_one(settings: Settings, number: int) -> Epoch:
    known = await epochs.read_all(settings)
    if number not in known or known[number].epoch.state not in ("live", "building"):
        raise Stop(f"There is no epoch {number} that is live or being built.", "`tillstream epochs list` shows them.")
    return known[number].epoch


async def _unless_stopped(work: Coroutine[Any, Any, T], stop: asyncio.Event) -> T | None:
    """What `work` gives, or None where the process is asked to end first."""
    task = asyncio.create_task(work)
    asked = asyncio.create_task(stop.wait())
    ends: set[asyncio.Future[Any]] = {task, asked}
    await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
    asked.cancel()
    if task.done():
        return task.result()
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    return None
