"""The thin part between Faust and the pure fold: takes chunks, folds them, performs the flush's operations.

Nothing here raises into Faust, since an agent that raises loses its event. Each partition has a task of its
own, so that one waits for acknowledgements while another folds. A task is cancelled when its partition is
revoked: whatever it had not finished is folded again by the next owner, from the log.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Any, Protocol

from faust.types import TP

from streams.chunks import AFTER_SEEK, Chunk
from streams.feed import opening
from streams.flush import TOMBSTONES, Acknowledged, Commit, Operation, Role, Send, flush
from streams.fold import Fold, fold
from streams.framed import Message
from streams.guard import guarded
from streams.metrics import forget, observe
from streams.records import fingerprint
from streams.same_log import check_start, recreated
from streams.state import PartitionState
from streams.tracking import Tracking

log = logging.getLogger(__name__)

# Chunks of a partition that wait while one is being flushed.
WAITING_CHUNKS = 2


class Outlet(Protocol):
    """Where operations go: sends return when they are handed over, `acknowledged` when all are durable."""

    async def send(self, role: Role, partition: int, messages: Sequence[Message]) -> None:
        """Hand messages over, in order."""

    async def acknowledged(self) -> None:
        """Wait until all that was sent is acknowledged, however long it takes."""


class Source(Protocol):
    """The partition's log, as its task moves about in it."""

    async def seek(self, offset: int) -> int:
        """Read on from an offset; returns how often the partition was sought by then."""

    async def first(self) -> int:
        """Give the first offset that the log still has."""

    def accepted(self) -> int:
        """Give the largest offset whose commit was accepted in this assignment, 0 for none yet."""


def nothing() -> None:
    """Do nothing."""


class PartitionTask:
    """Folds one partition's chunks, one after the other.

    `performed` is told of each operation of a flush; `took` is called as a chunk leaves the queue.
    """

    def __init__(
        self,
        state: PartitionState,
        topic: str,
        max_skew: int,
        outlet: Outlet,
        source: Source,
        performed: Callable[[Operation], None] | None = None,
        tracking: Tracking | None = None,
    ) -> None:
        self.state = state
        self._topic = topic
        self._max_skew = max_skew
        self._outlet = outlet
        self._source = source
        self._performed = performed
        self.tracking = tracking
        self._may_fold = asyncio.Event()
        if tracking is None:
            self._may_fold.set()
        self._sought = -1
        self._seeks = 0
        self.queue: asyncio.Queue[tuple[Chunk, Callable[[int], None]] | None] = asyncio.Queue(WAITING_CHUNKS)
        self.took = nothing

    async def run(self) -> None:
        """Fold until cancelled; raises Stop where the log is not the one that was folded.

        Begins once restock has read its feed: what windows hold that close before it has would be told to nobody.
        """
        await self._may_fold.wait()
        while True:
            given = await self.queue.get()
            self.took()
            if given is None:
                await self._open()
                continue
            chunk, ack = given
            if await self._in_place(chunk):
                await self._fold(chunk, ack)

    def restock_is_ready(self) -> None:
        """Restock knows what is tracked: whatever is folded from here on is told."""
        self._may_fold.set()

    def something_to_open(self) -> None:
        """Restock tracks something new: what the windows hold of it is told now, or with the chunk that waits."""
        if self.queue.empty():
            self.queue.put_nowait(None)

    async def _open(self) -> None:
        """Tell restock what the open windows hold, where no chunk comes that could bring it along."""
        told = [] if self.tracking is None else opening(self.tracking, self.state, self.state.applied)
        if told:
            await self._outlet.send("feed", self.state.partition, told)
            await self._outlet.acknowledged()

    async def _in_place(self, chunk: Chunk) -> bool:
        """Whether the chunk continues what is folded; seeks back where it does not.

        A chunk may begin above `applied + 1` only where the log has nothing in between: when the last one
        delivered ended at `applied`, or when it is the first after our own seek to `applied + 1`.
        """
        applied = self.state.applied
        wanted = applied + 1
        if chunk.follows >= chunk.first:
            # Nobody sought, and yet what is read went back: Kafka's client does that where the log has lost its end.
            raise recreated(self._topic, self.state.partition, applied)
        if chunk.first <= wanted:
            self._check_same(chunk)
            return True
        if chunk.follows == applied >= 0 or (
            chunk.follows == AFTER_SEEK and chunk.seeks == self._seeks and self._sought == wanted
        ):
            # Marks of transactions take up offsets, and so did what retention has removed.
            check_start(self._topic, self.state.partition, applied, await self._source.first())
            return True
        if chunk.seeks >= self._seeks:  # else it was fetched before we sought back
            self._sought = wanted
            self._seeks = await self._source.seek(wanted)
        return False

    def _check_same(self, chunk: Chunk) -> None:
        """Compare the record at `applied`, where the chunk holds it, with the one that was folded."""
        applied = self.state.applied
        if not chunk.first <= applied <= chunk.last:
            return
        record = next((record for record in chunk.records if record.offset == applied), None)
        if record is None or fingerprint(applied, record.key, record.value) != self.state.fingerprint:
            raise recreated(self._topic, self.state.partition, applied)

    async def _fold(self, chunk: Chunk, ack: Callable[[int], None]) -> None:
        begun = time.monotonic()
        done = fold(self.state, chunk.records, self._topic, self._max_skew, self.tracking)
        await self._flush(done, ack)
        observe(self.state, done, time.monotonic() - begun)

    async def _flush(self, done: Fold, ack: Callable[[int], None]) -> None:
        for operation in flush(self.state, done, self._source.accepted()):
            match operation:
                case Send(_, role, messages):
                    await self._outlet.send(role, self.state.partition, messages)
                case Acknowledged(step):
                    # Tombstones may land at any time, even never: where a chunk waits, its flush waits for them too.
                    if step != TOMBSTONES or self.queue.empty():
                        await self._outlet.acknowledged()
                case Commit(_, offset):
                    ack(offset)
            if self._performed is not None:
                self._performed(operation)


class Folding:
    """The tasks of the partitions that are assigned now. `revokes` counts how often all were given up."""

    def __init__(self, crash: Callable[[BaseException], Awaitable[Any]]) -> None:
        self._crash = crash
        self.revokes = 0
        self.tasks: dict[int, PartitionTask] = {}
        self._running: dict[int, asyncio.Task[None]] = {}
        self._room = asyncio.Event()

    def start(self, tasks: list[PartitionTask], revokes: int) -> bool:
        """Begin with partitions that were assigned after so many revokes; False where one came in between."""
        if revokes != self.revokes:
            return False
        for task in tasks:
            task.took = self._room.set
            self.tasks[task.state.partition] = task
            self._running[task.state.partition] = asyncio.create_task(
                guarded(task.run(), f"partition {task.state.partition}", self._crash)
            )
        return True

    async def take(self, chunk: Chunk, ack: Callable[[int], None]) -> None:
        """Queue a chunk for its partition; one of a partition that is no longer ours is dropped, unacked."""
        task = self.tasks.get(chunk.tp.partition)
        if task is not None:
            await task.queue.put((chunk, ack))

    def with_room(self, partitions: Iterable[TP]) -> set[TP]:
        """Those of which a chunk would not have to wait to be queued."""
        self._room.clear()
        full = {number for number, task in self.tasks.items() if task.queue.full()}
        return {tp for tp in partitions if tp.partition not in full}

    async def made_room(self, timeout: float) -> None:  # noqa: ASYNC109  # as long as Faust would wait for records
        """Wait until a chunk has left a queue since `with_room`, or all are dropped."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._room.wait(), timeout)

    async def drop(self) -> None:
        """Cancel every task and forget all state."""
        self.revokes += 1
        self._room.set()
        running, dropped = list(self._running.values()), list(self.tasks.values())
        self.tasks.clear()
        self._running.clear()
        for one in running:
            one.cancel()
        await asyncio.gather(*running, return_exceptions=True)
        for task in dropped:
            forget(task.state.partition)
            while not task.queue.empty():  # the agent may be waiting in `take` for room that nobody makes any more
                task.queue.get_nowait()
