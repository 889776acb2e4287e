"""A role follows the epochs: when another takes the place of the one it works for, it goes over to that one."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Any

from aiokafka.errors import KafkaError

from schemas.epoch import Epoch
from tillstream import epochs
from tillstream.settings import Settings

log = logging.getLogger(__name__)

# What a role does for one epoch: given the settings as the epoch has them, until the event.
Part = Callable[[Settings, Epoch, asyncio.Event], Awaitable[None]]

EVERY_SECONDS = 2.0
_PATIENCE = 30.0


async def follow(settings: Settings, epoch: Epoch, part: Part, stop: asyncio.Event) -> None:
    """Run `part` for the epoch, and anew for each that takes its place, until `stop`; raises what `part` raises."""
    while not stop.is_set():
        ended = asyncio.Event()
        running = asyncio.ensure_future(part(epochs.settings_of(settings, epoch), epoch, ended))
        next_one = asyncio.create_task(successor(settings, epoch.epoch))
        asked = asyncio.create_task(stop.wait())
        watched: set[asyncio.Future[Any]] = {running, next_one, asked}
        try:
            await asyncio.wait(watched, return_when=asyncio.FIRST_COMPLETED)
            ended.set()
            await running
            if not next_one.done():
                return
            epoch = next_one.result()
            log.info("goes over to epoch %d, which has become the live one", epoch.epoch)
        finally:
            for one in watched:
                one.cancel()
            await asyncio.gather(*watched, return_exceptions=True)


async def successor(settings: Settings, number: int) -> Epoch:
    """Give the epoch that receipts go into, once that is another than `number`; waits while Kafka is away.

    Asked anew each time, by a client of its own: one that stands for days can stop reading and say nothing.
    """
    while True:
        await asyncio.sleep(EVERY_SECONDS)
        try:
            async with asyncio.timeout(_PATIENCE):
                newest = epochs.newest_live(await epochs.read_all(settings))
        except (KafkaError, OSError) as fault:  # TimeoutError is one
            log.debug("the epochs cannot be read (%s): asking again", type(fault).__name__)
            continue
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if task is None or task.cancelling():
                raise
            continue  # of a client's own task, whose connection was reset
        if newest is not None and newest.epoch.epoch != number:
            return newest.epoch
