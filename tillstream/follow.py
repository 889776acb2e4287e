"""A role follows the epochs: when another takes the place of the one it works for, it goes over to that one."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from schemas.epoch import Epoch
from schemas.topics import EPOCHS
from tillstream import epochs, kafka
from tillstream.settings import Settings

log = logging.getLogger(__name__)

# What a role does for one epoch: given the settings as the epoch has them, until the event.
Part = Callable[[Settings, Epoch, asyncio.Event], Awaitable[None]]

_PAUSE = 1.0


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
    """Give the epoch that receipts go into, once that is another than `number`; waits while Kafka is away."""
    while True:
        try:
            return await _successor(settings, number)
        except KafkaError as fault:
            log.debug("the epochs cannot be read (%s): asking again", type(fault).__name__)
        await asyncio.sleep(_PAUSE)


async def _successor(settings: Settings, number: int) -> Epoch:
    part = TopicPartition(settings.topic_prefix + EPOCHS, 0)
    known: dict[int, epochs.KnownEpoch] = {}
    consumer = AIOKafkaConsumer(**kafka.client_options(settings), enable_auto_commit=False)
    try:
        await consumer.start()
        consumer.assign([part])
        await consumer.seek_to_beginning(part)
        end = (await consumer.end_offsets([part]))[part]
        while True:
            for record in (await consumer.getmany(part, timeout_ms=1_000)).get(part, []):
                one = epochs.read(record)
                known[one.epoch.epoch] = one
            if await consumer.position(part) < end:
                continue  # an old message says what was live once
            newest = epochs.newest_live(known)
            if newest is not None and newest.epoch.epoch != number:
                return newest.epoch
    finally:
        await consumer.stop()
