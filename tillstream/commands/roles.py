"""`tillstream worker` and `tillstream sink`: one role, as real deployments run it; several of each can run."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import threading
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, TypeVar

import typer

from schemas.errors import Stop
from tillstream import aio, console, logs, metrics_server
from tillstream import settings as settings_module
from tillstream.local.supervisor import UNMENDABLE
from tillstream.migrate import check_migrated
from tillstream.settings import Settings
from tillstream.waiting import wait_for_clickhouse, wait_for_kafka

log = logging.getLogger(__name__)

T = TypeVar("T")

# A stop takes at most ten seconds. A request that nobody answers keeps its thread, and a thread cannot be cancelled.
PATIENCE = 8.0

# What a role does: given the settings, the live epoch and the event that ends it.
Role = Callable[[Settings, int, asyncio.Event], Awaitable[None]]


def register(app: typer.Typer) -> None:
    """Add the commands."""

    @app.command("worker")
    def worker() -> None:
        """Run one worker: reads receipts, sums them per store, SKU and window, publishes the totals.

        Waits for Kafka; stops where the topics are not as `tillstream migrate` makes them.

        [bold]Examples[/]

          tillstream worker

          TILLSTREAM_METRICS_BIND=127.0.0.1:9101 tillstream worker
        """
        from tillstream.roles import run_worker

        _run("worker", run_worker)

    @app.command("sink")
    def sink() -> None:
        """Run one sink: writes totals, late lines, dead letters and the ledger of receipts into ClickHouse.

        Waits for Kafka and ClickHouse, however long they are away; nothing is lost by it.

        [bold]Examples[/]

          tillstream sink

          TILLSTREAM_CLICKHOUSE_URL=http://127.0.0.1:8123/tillstream tillstream sink
        """
        from tillstream.roles import run_sink

        _run("sink", run_sink, clickhouse=True)


def _run(name: str, role: Role, *, clickhouse: bool = False) -> None:
    logs.setup(name)
    try:
        aio.run(_until_signal(settings_module.load(), role, clickhouse=clickhouse))
    except Stop as stop:
        # A code of its own, so that a supervisor knows that starting it again is of no use.
        console.fail(stop.sentence, stop.hint)
        raise typer.Exit(UNMENDABLE) from None


async def _until_signal(settings: Settings, role: Role, *, clickhouse: bool) -> None:
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
        epoch = await _unless_stopped(_epoch(settings, clickhouse=clickhouse), stop)
        if epoch is not None:
            await role(settings, epoch, stop)
    finally:
        stop_metrics()


def _leave() -> None:
    """End at once: what is not committed is read again, so that nothing is lost by it."""
    log.warning("ends without an answer that it still waits for")
    os._exit(0)


async def _epoch(settings: Settings, *, clickhouse: bool) -> int:
    """The live epoch, once the neighbours of the role answer."""
    await wait_for_kafka(settings, None)
    if clickhouse:
        await wait_for_clickhouse(settings, None)
    return await check_migrated(settings)


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
