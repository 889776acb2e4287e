"""Rolls up now and then beside the sink, whose process it shares and never holds up."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import threading
from collections.abc import Callable
from functools import partial
from typing import Any

from clickhouse_connect.driver.exceptions import ClickHouseError

from schemas.errors import TillstreamError
from tillstream import ch
from tillstream.rollups.passes import Pass, age, roll_up
from tillstream.settings import Settings

log = logging.getLogger(__name__)

# A pass takes a seventh of one thread's time at most, and roll-ups are no older than a minute while that is enough.
SHORTEST_PAUSE, LONGEST_PAUSE = 10.0, 40.0
PAUSE_PER_SECOND = 6.0


async def keep(settings: Settings, stop: asyncio.Event) -> None:
    """Roll up now and then until `stop`; while ClickHouse is away, or refuses, the last roll-ups stand."""
    ended = threading.Event()
    asked = asyncio.create_task(stop.wait())
    pause, told = SHORTEST_PAUSE, ""
    try:
        while not await _done_within(asked, pause):
            turn = _in_thread(partial(_turn, settings, pause / 2, ended.is_set))
            watched: set[asyncio.Future[Any]] = {turn, asked}
            await asyncio.wait(watched, return_when=asyncio.FIRST_COMPLETED)
            if not turn.done():
                return
            try:
                pause = min(LONGEST_PAUSE, max(SHORTEST_PAUSE, PAUSE_PER_SECOND * turn.result().seconds))
            except (ClickHouseError, TillstreamError, OSError) as fault:
                if told != (told := ch.first_line(fault)):
                    log.warning("roll-ups wait: %s", told)
                continue
            if told:
                log.warning("roll-ups go on")
            told = ""
    finally:
        ended.set()
        asked.cancel()


async def _done_within(task: asyncio.Task[Any], seconds: float) -> bool:
    done, _ = await asyncio.wait({task}, timeout=seconds)
    return bool(done)


def _in_thread(work: Callable[[], Pass]) -> asyncio.Future[Pass]:
    """Do it in a thread that no end of the process waits for: what it leaves half done is done again by another."""
    loop = asyncio.get_running_loop()
    future: asyncio.Future[Pass] = loop.create_future()

    def settle(call: Callable[[Any], None], value: object) -> None:
        with contextlib.suppress(RuntimeError):  # the loop has ended meanwhile
            loop.call_soon_threadsafe(lambda: None if future.done() else call(value))

    def run() -> None:
        try:
            result = work()
        except Exception as fault:  # noqa: BLE001  # raised where it is awaited
            settle(future.set_exception, fault)
        else:
            settle(future.set_result, result)

    threading.Thread(target=run, name="roll-ups", daemon=True).start()
    return future


def _turn(settings: Settings, fresh: float, ended: Callable[[], bool]) -> Pass:
    with ch.connect(settings) as client:
        if age(client) < fresh:  # another sink has just done it
            return Pass(0, 0.0, None)
        return roll_up(client, ended)
