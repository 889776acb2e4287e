"""The thin part between Faust and the pure fold: takes chunks, folds them, performs the flush's operations.

Nothing here raises into Faust, since an agent that raises loses its event. Each partition has a task of its
own, so that one waits for acknowledgements while another folds. A task is cancelled when its partition is
revoked: whatever it had not finished is folded again by the next owner, from the log.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from typing import Any, Protocol

from schemas.errors import Stop
from streams.flush import Acknowledged, Commit, Message, Role, Send, flush
from streams.fold import Fold, fold
from streams.metrics import observe
from streams.state import PartitionState
from streams.transport import AFTER_SEEK, Chunk

log = logging.getLogger(__name__)

# Chunks of a partition that wait while one is being flushed.
WAITING_CHUNKS = 2


class Outlet(Protocol):
    """Where operations go: sends return when they are handed over, `acknowledged` when all are durable."""

    async def send(self, role: Role, partition: int, messages: list[Message]) -> None:
        """Hand messages over, in order."""

    async def acknowledged(self) -> None:
        """Wait until all that was sent is acknowledged, however long it takes."""


class PartitionTask:
    """Folds one partition's chunks, one after the other."""

    def __init__(
        self,
        state: PartitionState,
        topic: str,
        max_skew: int,
        outlet: Outlet,
        accepted: Callable[[], int],
        seek: Callable[[int], Awaitable[int]],
    ) -> None:
        self.state = state
        self._topic = topic
        self._max_skew = max_skew
        self._outlet = outlet
        self._accepted = accepted
        self._seek = seek
        self._sought = -1
        self._seeks = 0
        self.queue: asyncio.Queue[tuple[Chunk, Callable[[int], None]]] = asyncio.Queue(WAITING_CHUNKS)

    async def run(self) -> None:
        """Fold until cancelled."""
        while True:
            chunk, ack = await self.queue.get()
            if await self._in_place(chunk):
                await self._fold(chunk, ack)

    async def _in_place(self, chunk: Chunk) -> bool:
        """Whether the chunk continues what is folded; seeks back where it does not.

        Only the first chunk after our own seek to `applied + 1` may begin above it: then the log has nothing there.
        """
        wanted = self.state.applied + 1
        if chunk.first <= wanted:
            return True
        if chunk.seeks < self._seeks:
            return False  # fetched before we sought back
        if chunk.seeks == self._seeks and self._sought == wanted and chunk.follows == AFTER_SEEK:
            log.warning("partition %d: the log has nothing from %d to %d", chunk.tp.partition, wanted, chunk.first - 1)
            return True
        self._sought = wanted
        self._seeks = await self._seek(wanted)
        return False

    async def _fold(self, chunk: Chunk, ack: Callable[[int], None]) -> None:
        begun = time.monotonic()
        done = fold(self.state, chunk.records, self._topic, self._max_skew)
        if chunk.last > self.state.applied:
            raise AssertionError("a folded chunk moves the partition to its end")
        await self._flush(done, ack)
        observe(self.state, done, time.monotonic() - begun)

    async def _flush(self, done: Fold, ack: Callable[[int], None]) -> None:
        for operation in flush(self.state, done, self._accepted()):
            match operation:
                case Send(_, role, messages):
                    await self._outlet.send(role, self.state.partition, messages)
                case Acknowledged(_):
                    await self._outlet.acknowledged()
                case Commit(_, offset):
                    ack(offset)


class Folding:
    """The tasks of the partitions that are assigned now."""

    def __init__(self, crash: Callable[[BaseException], Awaitable[Any]]) -> None:
        self._crash = crash
        self.tasks: dict[int, PartitionTask] = {}
        self._running: dict[int, asyncio.Task[None]] = {}

    def start(self, tasks: list[PartitionTask]) -> None:
        """Begin with restored partitions."""
        for task in tasks:
            self.tasks[task.state.partition] = task
            self._running[task.state.partition] = asyncio.create_task(self._guard(task))

    async def _guard(self, task: PartitionTask) -> None:
        try:
            await task.run()
        except asyncio.CancelledError:
            raise
        except Stop as stop:
            await self._crash(stop)
        except Exception as fault:
            log.exception("partition %d: the fold failed", task.state.partition)
            await self._crash(fault)

    async def take(self, chunk: Chunk, ack: Callable[[int], None]) -> None:
        """Queue a chunk for its partition; one of a partition that is no longer ours is dropped, unacked."""
        task = self.tasks.get(chunk.tp.partition)
        if task is not None:
            await task.queue.put((chunk, ack))

    async def drop(self) -> None:
        """Cancel every task and forget all state."""
        running, queues = list(self._running.values()), [task.queue for task in self.tasks.values()]
        self.tasks.clear()
        self._running.clear()
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)
        for queue in queues:  # the agent may be waiting in `take` for room that nobody makes any more
            while not queue.empty():
                queue.get_nowait()
