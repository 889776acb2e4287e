"""`tillstream up`: everything on this machine."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import signal
import time
from pathlib import Path
from typing import Annotated, Any

import typer

from schemas.errors import Stop
from tillstream import console, logs
from tillstream import settings as settings_module
from tillstream.local.stack import ALL, BrokerLost, Stack
from tillstream.local.supervisor import pause_after
from tillstream.settings import Settings

log = logging.getLogger(__name__)

LATER = "web"
# A broker that ends so many times before all parts serve has a fault that no further start mends.
MOST_IN_VAIN = 3


def register(app: typer.Typer) -> None:
    """Add the command."""

    @app.command("up")
    def up(
        only: Annotated[
            str, typer.Option("--only", metavar="PARTS", help="Which parts, separated by commas.")
        ] = ",".join(ALL),
        data_dir: Annotated[Path | None, typer.Option("--data-dir", help="Folder for its files.")] = None,
    ) -> None:
        """Run everything on this machine: broker, ClickHouse, worker and sink. Prints `ready` when all of it serves.

        The embedded broker keeps its log in memory and a journal of what was published in the data folder: the next
        start brings it back, and goes on. With a Kafka of your own leave it out. Parts started alone wait for what is
        missing and say so.

        [bold]Examples[/]

          tillstream up

          tillstream up --only clickhouse,worker,sink

          TILLSTREAM_KAFKA_URL=kafka://127.0.0.1:19092 tillstream up --data-dir ./data
        """
        logs.setup("up")
        overrides = {"data_dir": data_dir.resolve()} if data_dir else {}
        asyncio.run(run(settings_module.load(**overrides), chosen(only)))


def chosen(only: str) -> tuple[str, ...]:
    """The parts that `--only` names; raises Stop on one that is none."""
    names = [name.strip() for name in only.split(",") if name.strip()]
    if LATER in names:
        raise Stop(f"--only {only}: {LATER} (HTTP and dashboard) comes with a later release.", "Leave it out for now.")
    unknown = [name for name in names if name not in ALL]
    if unknown or not names:
        raise Stop(f"--only {only}: {unknown[0] if unknown else 'nothing'} is no part.", f"Parts are {', '.join(ALL)}.")
    return tuple(part for part in ALL if part in names)


async def run(settings: Settings, parts: tuple[str, ...]) -> None:
    """Serve until SIGINT or SIGTERM; raises Stop when a part ends that cannot be started again."""
    asked = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, asked.set)
    pause, in_vain, ready = 0.0, 0, False
    while not asked.is_set():
        begun = time.monotonic()
        stack = Stack(settings, parts)
        try:
            await _run_once(stack, asked, again=ready)
        except BrokerLost as lost:
            ready |= stack.was_ready
            in_vain = 0 if stack.was_ready else in_vain + 1
            if in_vain == MOST_IN_VAIN:
                raise
            pause = pause_after(pause, time.monotonic() - begun)
            log.warning("%s Everything stops and starts again in %.0f s, from its journal.", lost.sentence, pause)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(pause):
                    await asked.wait()


async def _run_once(stack: Stack, asked: asyncio.Event, *, again: bool) -> None:
    """Serve until `asked`; raises Stop when a part ends that cannot be started again, BrokerLost for the broker."""
    starting = asyncio.create_task(stack.start())
    stopping = asyncio.create_task(asked.wait())
    try:
        await asyncio.wait({starting, stopping}, return_when=asyncio.FIRST_COMPLETED)
        if starting.done():
            for sentence in starting.result().notes:
                log.info(sentence)
            if again:
                log.info("ready again")
            else:
                console.out.print("ready")
            ends: set[asyncio.Future[Any]] = {stopping, stack.failed}
            await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
        if stack.failed.done():
            raise stack.failed.result()
        log.info("stopping")
    finally:
        starting.cancel()
        stopping.cancel()
        await asyncio.gather(starting, stopping, return_exceptions=True)
        await stack.stop()
