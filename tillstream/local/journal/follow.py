"""Keep the journal up with the broker: read what is new, write it, sync it, and shut the gate while that cannot be."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass

from schemas.errors import Stop
from tillstream.local.journal.batch import Batch, anonymous, split
from tillstream.local.journal.cards import without_cards
from tillstream.local.journal.gate import Gate
from tillstream.local.journal.limit import Limit
from tillstream.local.journal.link import AT_ONCE_MS, Fetched, Link
from tillstream.local.journal.order import in_order
from tillstream.local.journal.recovery import Place
from tillstream.local.journal.writer import Writer

log = logging.getLogger(__name__)

# What a client published is durable after the two of these, and the time of a write.
FETCH_WAIT_MS = 200
SYNC_SECONDS = 0.25
RETRY_SECONDS = 1.0


@dataclass(frozen=True)
class Follower:
    """Carries partitions from the broker into the journal, those of each of `levels` (see order) behind the last one's.

    `receipts` is the topic whose card numbers leave stubs.
    """

    link: Link
    writer: Writer
    gate: Gate
    levels: Sequence[Sequence[Place]]
    receipts: str
    limit: Limit
    folder: str
    clock: Callable[[], float] = time.monotonic

    async def run(self, stop: asyncio.Event) -> None:
        """Follow until `stop`; then shut the gate and return when all is durable that the broker holds.

        Raises Stop where no more may be kept or nothing more can be, Unavailable when the broker has gone.
        """
        oldest: float | None = None
        try:
            while True:
                last = stop.is_set()
                if last:
                    self.gate.shut()
                fetched = await self.link.fetch(self._positions(), AT_ONCE_MS if last else FETCH_WAIT_MS)
                batches = await asyncio.to_thread(self._batches, fetched, dict(self.writer.ends))
                try:
                    async for some in in_order(batches, self.levels, self._read_on):
                        await asyncio.to_thread(self.writer.append, some)
                        oldest = oldest or self.clock()
                    if oldest is not None and (last or self.clock() - oldest >= SYNC_SECONDS):
                        await asyncio.to_thread(self.writer.sync)
                        oldest = None
                    if oldest is None and not self.gate.is_open and not last:
                        await asyncio.to_thread(self.writer.prove)
                        log.warning("the journal is written again: clients get in again")
                        await self.gate.open()
                except OSError as fault:
                    await self._wait_out(fault, stop)
                    oldest = None
                    continue
                if last and self._has_all(fetched):
                    return
                self.limit.check(self.writer.unpacked)
        finally:
            self.gate.shut()
            await self._sync_what_is_written()

    def _positions(self) -> dict[Place, int]:
        return {place: self.writer.ends.get(place, 0) for level in self.levels for place in level}

    def _has_all(self, fetched: list[Fetched]) -> bool:
        """Whether nothing of any partition is missing, as far as this fetch knows."""
        read = {one.place for one in fetched if one.end <= self.writer.ends.get(one.place, 0)}
        return read == {place for level in self.levels for place in level}

    async def _read_on(self, level: int, read: Sequence[Batch]) -> AsyncIterator[list[Batch]]:
        """A level behind what was read of it, up to where each partition ends when it is asked for next."""
        ends = {**self.writer.ends, **{(one.topic, one.partition): one.end for one in read}}
        goals: dict[Place, int] = {}
        while behind := [at for at in self.levels[level] if at not in goals or ends.get(at, 0) < goals[at]]:
            fetched = await self.link.fetch({place: ends.get(place, 0) for place in behind}, AT_ONCE_MS)
            for one in fetched:
                goals.setdefault(one.place, one.end)
            yield await asyncio.to_thread(self._batches, fetched, ends)

    def _batches(self, fetched: list[Fetched], ends: dict[Place, int]) -> list[Batch]:
        """What goes on at `ends`, which are moved on."""
        found: list[Batch] = []
        for (topic, partition), end, data in fetched:
            known = ends.get((topic, partition), 0)
            if end < known:
                raise Stop(
                    f"{topic}, partition {partition}, ends before its journal, at {known}: the topic was deleted.",
                    "To begin afresh, remove the data folder and the ClickHouse database, or choose others.",
                )
            for one in split(topic, partition, data):
                if one.begin != known:
                    raise Stop(
                        f"{topic}, partition {partition}, goes on at offset {one.begin}, but its journal at {known}: "
                        "records were deleted before it had them.",
                        "To begin afresh, remove the data folder and the ClickHouse database, or choose others.",
                    )
                known = one.end
                plain = anonymous(one)
                found.append(without_cards(plain) if topic == self.receipts else plain)
            ends[topic, partition] = known
        return found

    async def _wait_out(self, fault: OSError, stop: asyncio.Event) -> None:
        """Cut what is not durable; returns when that has worked, for the next attempt. Clients stay out meanwhile."""
        reason = fault.strerror or str(fault)
        if self.gate.is_open:
            self.gate.shut()
            log.warning(
                "the journal in %s cannot be written: %s; clients are shut out until it can, and what it has stays",
                self.folder,
                reason,
            )
        while True:
            if stop.is_set():
                raise Stop(
                    f"The journal in {self.folder} could not be written: {reason}. What was published since is lost.",
                    "Make room there before you start it again.",
                )
            try:
                await asyncio.to_thread(self.writer.recede)
            except OSError as again:
                reason = again.strerror or str(again)
            else:
                await _pause(stop)
                return
            await _pause(stop)

    async def _sync_what_is_written(self) -> None:
        try:
            await asyncio.to_thread(self.writer.sync)
        except OSError as fault:
            log.warning("the journal's end could not be synced: %s", fault.strerror or fault)


async def _pause(stop: asyncio.Event) -> None:
    try:
        async with asyncio.timeout(RETRY_SECONDS):
            await stop.wait()
    except TimeoutError:
        return
