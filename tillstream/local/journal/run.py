"""From the settings to a journal that is kept: the order of a start."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Coroutine
from typing import Any, TypeVar

from schemas.errors import Stop, Unavailable
from schemas.topics import EPOCHS, RECEIPTS
from tillstream import topic_admin
from tillstream.local.journal import link as broker
from tillstream.local.journal import stale
from tillstream.local.journal.disk import Disk
from tillstream.local.journal.fill import fill, is_fresh
from tillstream.local.journal.follow import Follower
from tillstream.local.journal.gate import Gate
from tillstream.local.journal.known import known_epochs
from tillstream.local.journal.limit import Limit
from tillstream.local.journal.link import Link
from tillstream.local.journal.order import JOURNALED, levels
from tillstream.local.journal.recovery import Recovered, blocks, recover
from tillstream.local.journal.writer import Writer
from tillstream.settings import Settings
from tillstream.waiting import wait_for_clickhouse

log = logging.getLogger(__name__)
T = TypeVar("T")

START_SECONDS = 60.0
# `up` stops everything when its broker has gone; this is for whoever runs the journal without it.
ORPHANED_SECONDS = 30.0


class Journal:
    """The journal on `disk` of the broker at `broker_at`. `own_clickhouse`: one that is started beside it."""

    def __init__(self, settings: Settings, broker_at: tuple[str, int], disk: Disk, *, own_clickhouse: bool) -> None:
        self._settings = settings
        self._broker_at = broker_at
        self._disk = disk
        self._own_clickhouse = own_clickhouse
        self._limit = Limit(settings.embedded_max)
        names = {settings.topic_prefix + topic for topic in JOURNALED}
        self._topics = [spec for spec in topic_admin.wanted(settings) if spec.name in names]

    async def run(self, stop: asyncio.Event) -> None:
        """Keep the journal until `stop`; raises Stop, and Unavailable when the broker has gone."""
        host, _, port = self._settings.kafka_servers[0].rpartition(":")
        gate = Gate(host.strip("[]"), int(port), self._broker_at)
        link: Link | None = None
        try:
            link = await _unless(stop, broker.connect(*self._broker_at))
            follower = await _unless(stop, self._begin(gate, link)) if link else None
            if follower is not None:
                await follower.run(stop)
        except Unavailable:
            if stop.is_set():
                return
            log.warning("the embedded broker has gone; what it had told the journal of is synced")
            await asyncio.wait({asyncio.create_task(stop.wait())}, timeout=ORPHANED_SECONDS)
            if not stop.is_set():
                raise
        finally:
            if link is not None:
                link.close()

    async def _begin(self, gate: Gate, link: Link) -> Follower:
        """1. read the journal; 2. fill the broker and remove stale rows; 3. let clients in."""
        try:
            found = await asyncio.to_thread(recover, self._disk, self._settings.topic_prefix, self._settings.partitions)
            writer = Writer(self._disk, found)
            await asyncio.to_thread(writer.begin)
        except OSError as fault:
            raise Stop(
                f"The journal in {self._disk.where('')} cannot be used: {fault.strerror or fault}.",
                "Make room there, or choose another folder with TILLSTREAM_DATA_DIR or --data-dir.",
            ) from None
        self._limit.check(found.unpacked)
        await link.create(self._topics)
        places = [(spec.name, partition) for spec in self._topics for partition in range(spec.partitions)]
        ends = await link.ends(places)
        if is_fresh(ends, found.ends):
            await _together(self._fill(link, found, ends), self._drop(found))
        await gate.open()
        return Follower(
            link, writer, gate, levels(self._settings.topic_prefix, places), self._settings.topic_prefix + RECEIPTS,
            self._limit, self._disk.where(""),
        )  # fmt: skip

    async def _fill(self, link: Link, found: Recovered, ends: dict[tuple[str, int], int]) -> None:
        if not found.records:
            return
        log.info("%s messages of the journal are published into the broker", f"{found.records:,}")
        begun = time.monotonic()
        await fill(link, blocks(self._disk, found), ends)
        log.info("the broker holds what the journal holds, after %.1f s", time.monotonic() - begun)

    async def _drop(self, found: Recovered) -> None:
        if self._own_clickhouse:
            await wait_for_clickhouse(self._settings, START_SECONDS, quietly=True)
        elif found.segments:
            await wait_for_clickhouse(self._settings, None)
        else:  # nothing was ever written from here
            try:
                await wait_for_clickhouse(self._settings, 0.0, quietly=True)
            except Unavailable:
                return
        rows = await asyncio.to_thread(self._drop_stale, found)
        if rows:
            log.warning("%s rows of messages that the journal does not have are removed from ClickHouse", f"{rows:,}")

    def _drop_stale(self, found: Recovered) -> int:
        topic = self._settings.topic_prefix + EPOCHS
        epochs = known_epochs(topic, blocks(self._disk, found))
        return stale.drop(self._settings, found.identity.id, found.ends, epochs)


async def _together(*work: Coroutine[Any, Any, None]) -> None:
    """All of it at once; the first fault ends the others."""
    try:
        async with asyncio.TaskGroup() as group:
            for one in work:
                group.create_task(one)
    except* (Stop, Unavailable) as faults:
        raise faults.exceptions[0] from None


async def _unless(stop: asyncio.Event, work: Coroutine[Any, Any, T]) -> T | None:
    """What `work` gives, or None where the process is asked to end first."""
    task, asked = asyncio.create_task(work), asyncio.create_task(stop.wait())
    ends: set[asyncio.Future[Any]] = {task, asked}
    try:
        await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
        if task.done():
            return task.result()
        return None
    finally:
        for one in (task, asked):
            one.cancel()
        await asyncio.gather(task, asked, return_exceptions=True)
