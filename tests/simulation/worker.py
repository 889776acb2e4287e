"""One partition under one owner: the product's own restore, fold and flush, one operation at a time.

streams.agents.PartitionTask runs as it does under Faust, but no event loop drives it: its outlet and source never wait,
they pause, and whoever holds the task decides when it goes on.
"""

from __future__ import annotations

import types
from collections import defaultdict
from collections.abc import Coroutine, Generator
from typing import Any

from schemas import topics
from streams.agents import PartitionTask
from streams.chunks import AFTER_SEEK, Chunk
from streams.flush import Role
from streams.fold import fold
from streams.framed import Message
from streams.records import fingerprint
from streams.restore import Restore
from streams.same_log import LogView, check_log
from streams.windows import Windows
from tests.simulation.kafka import Log
from tests.simulation.receipts import MAX_SKEW

OUTPUTS: dict[Role, str] = {"windows": topics.WINDOWS, "late": topics.LATE, "rejected": topics.REJECTED}


@types.coroutine
def pause() -> Generator[None, None, None]:
    """Give whoever drives this coroutine the turn."""
    yield


class Topics:
    """What workers read and write: receipts and outputs by partition, changelogs and commits by (epoch, partition)."""

    def __init__(self, partitions: int) -> None:
        self.receipts = [Log(topics.RECEIPTS, number) for number in range(partitions)]
        self.outputs = {role: [Log(topic, number) for number in range(partitions)] for role, topic in OUTPUTS.items()}
        self.epochs = Log(topics.EPOCHS, 0)
        self.changelogs: defaultdict[tuple[int, int], Log] = defaultdict(lambda: Log("changelog", 0))
        self.committed: dict[tuple[int, int], int] = {}
        self.tombstones = self.restored_ahead = 0

    def land(self, epoch: int, partition: int, role: Role, message: Message) -> None:
        """A message that a worker sent is in its topic."""
        if message[1] is None and role == "state":
            self.tombstones += 1
        log = self.changelogs[epoch, partition] if role == "state" else self.outputs[role][partition]
        log.append(*message)


class Worker:
    """A partition's task, its producer's buffer and its consumer's position.

    `buffer` holds what was sent and has not landed. `ours` is False once the group has given the partition to another:
    it goes on, but no commit of it is accepted.
    """

    def __init__(self, kafka: Topics, epoch: int, partition: int, owner: str, windows: Windows) -> None:
        self.kafka, self.epoch, self.partition = kafka, epoch, partition
        self.owner, self.windows = owner, windows
        self.ours = True
        self.buffer: list[tuple[Role, Message]] = []
        self._accepted = 0
        self.acked: int | None = None
        self._log = kafka.receipts[partition]
        self._changelog = kafka.changelogs[epoch, partition]
        self._restore: Restore | None = Restore()
        self._read = 0
        self._task: PartitionTask | None = None
        self._running: Coroutine[Any, Any, None] | None = None
        self._position = kafka.committed.get((epoch, partition), 0)
        self._follows, self._seeks = AFTER_SEEK, 1

    @property
    def restoring(self) -> bool:
        return self._restore is not None

    @property
    def applied(self) -> int:
        return -1 if self._task is None else self._task.state.applied

    def step(self, size: int) -> bool:
        """Do one operation; `size` bounds a chunk. False where there is nothing to do."""
        if self._restore is not None:
            self._read_changelog(self._restore, size)
            return True
        if self._running is None:
            records = self._log.read(self._position, size)
            if not records:
                return False
            chunk = Chunk(self.partition, records, self._follows, self._seeks)  # type: ignore[arg-type]  # not Faust's TP
            self._position, self._follows = chunk.last + 1, chunk.last
            assert self._task is not None
            self._running = self._take(self._task, chunk)
        try:
            self._running.send(None)
        except StopIteration:
            self._running = None
        return True

    def _read_changelog(self, restore: Restore, size: int) -> None:
        """A restore reads piece by piece, while others write and the cleaner runs, to the end as it is when reached."""
        if found := self._changelog.read(self._read, 4 * size):
            restore.take((record.key, record.value) for record in found if record.key is not None)
            self._read = found[-1].offset + 1
        if self._read < self._changelog.end and found:
            return
        state = restore.finish(self.epoch, self.partition, self.owner, self.windows)
        self.kafka.restored_ahead += bool(state.ahead)
        if state.applied >= 0:
            at = self._log.read(state.applied, 1)
            same = at and at[0].offset == state.applied
            found_print = fingerprint(state.applied, at[0].key, at[0].value) if same else None
            view = LogView(0, self._log.end, found_print)
            check_log(topics.RECEIPTS, self.partition, state.applied, state.fingerprint, view)
        self._restore = None
        self._task = PartitionTask(state, topics.RECEIPTS, MAX_SKEW, self, self)

    async def _take(self, task: PartitionTask, chunk: Chunk) -> None:
        """What PartitionTask.run does with a chunk, without its queue and its metrics."""
        if await task._in_place(chunk):
            done = fold(task.state, chunk.records, topics.RECEIPTS, MAX_SKEW)
            await task._flush(done, self._ack)

    def _ack(self, offset: int) -> None:
        self.acked = offset

    # The task's outlet.

    async def send(self, role: Role, partition: int, messages: list[Message]) -> None:
        assert partition == self.partition
        self.buffer += [(role, message) for message in messages]
        await pause()

    async def acknowledged(self) -> None:
        await pause()
        self.land(len(self.buffer))

    # The task's source.

    async def seek(self, offset: int) -> int:
        self._position, self._follows = offset, AFTER_SEEK
        self._seeks += 1
        return self._seeks

    async def first(self) -> int:
        return 0

    def accepted(self) -> int:
        return self._accepted

    def land(self, many: int) -> None:
        """The first so many sends reach Kafka."""
        for role, message in self.buffer[:many]:
            self.kafka.land(self.epoch, self.partition, role, message)
        del self.buffer[:many]

    def die(self, landed: int) -> None:
        """SIGKILL: of what was sent, those land whose bit is set, each topic's in its order."""
        for at, (role, message) in enumerate(self.buffer):
            if landed >> at % 24 & 1:
                self.kafka.land(self.epoch, self.partition, role, message)
        self.buffer.clear()
        self.stop()

    def stop(self) -> None:
        """Cancel the task, as a revoke does; what was sent is still under way."""
        if self._running is not None:
            self._running.close()
        self._running = self._task = self._restore = None
        self.ours = False

    @property
    def stopped(self) -> bool:
        return self._task is None and self._restore is None

    def commit(self, *, answered: bool) -> None:
        """Commit what was acked; refused where the group has another owner, unheard where not `answered`."""
        if self.ours and self.acked is not None:
            self.kafka.committed[self.epoch, self.partition] = self.acked
            if answered:
                self._accepted = self.acked
