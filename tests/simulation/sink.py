"""A sink's group: the product's own loop from records to rows to the commit, one operation at a time.

sinks.loop.SinkLoop writes and commits as it does over aiokafka; instead of waiting for a thread it pauses.
"""

from __future__ import annotations

import contextlib
import inspect
from collections.abc import Callable, Coroutine, Iterator, Mapping
from types import SimpleNamespace
from typing import Any

from aiokafka.errors import CommitFailedError
from aiokafka.structs import TopicPartition

import sinks.loop
from sinks.batch import Batch, Prepare
from sinks.loop import SinkLoop
from tests.simulation.clickhouse import MemoryClickHouse
from tests.simulation.kafka import Log
from tests.simulation.worker import pause


async def _to_thread(work: Callable[..., Any], *args: Any) -> Any:
    done = work(*args)
    return await done if inspect.isawaitable(done) else done


class _Attempt:
    """One attempt: swallows the faults that are tried again."""

    def __init__(self, faults: tuple[type[BaseException], ...] | type[BaseException]) -> None:
        self.faults = faults
        self.failed = False

    def __enter__(self) -> None: ...

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> bool:
        self.failed = kind is not None and issubclass(kind, self.faults)
        return self.failed


class _Retrying:
    """Stands in for tenacity's AsyncRetrying: tries again at once, since waiting needs a clock."""

    def __init__(self, *, retry: Any, **_: Any) -> None:
        self._attempt = _Attempt(retry.exception_types)
        self._attempt.failed = True

    def __aiter__(self) -> _Retrying:
        return self

    async def __anext__(self) -> _Attempt:
        if not self._attempt.failed:
            raise StopAsyncIteration
        self._attempt.failed = False
        return self._attempt


@contextlib.contextmanager
def without_threads() -> Iterator[None]:
    """The sinks' loop does in place what it hands to threads, and never sleeps: nothing here has an event loop."""
    original = sinks.loop.asyncio, sinks.loop.AsyncRetrying
    sinks.loop.asyncio, sinks.loop.AsyncRetrying = SimpleNamespace(to_thread=_to_thread), _Retrying
    sinks.loop.log.disabled = True  # that ClickHouse was away is no news here
    try:
        yield
    finally:
        sinks.loop.asyncio, sinks.loop.AsyncRetrying = original
        sinks.loop.log.disabled = False


class Sink:
    """One group of sinks over its topics; one member at a time is the owner of all partitions."""

    def __init__(self, name: str, logs: list[Log], prepare: Mapping[str, Prepare], store: MemoryClickHouse) -> None:
        self.name = name
        self._logs, self._prepare, self._clickhouse = logs, prepare, store
        self.committed: dict[TopicPartition, int] = {}
        self.member = self._join()

    def _join(self) -> Member:
        return Member(self.name, self._logs, self._prepare, self._clickhouse, self.committed)

    def crash(self, tables: int) -> None:
        """SIGKILL; of the batch in hand, rows of so many tables were inserted."""
        self.member.die(tables)
        self.member = self._join()

    def freeze(self) -> Member:
        """Freeze the member; another one takes over from what is committed."""
        frozen, self.member = self.member, self._join()
        frozen.ours = False
        return frozen


class Member:
    """A sink process: what it has read, and the write under way."""

    def __init__(
        self,
        name: str,
        logs: list[Log],
        prepare: Mapping[str, Prepare],
        store: MemoryClickHouse,
        committed: dict[TopicPartition, int],
    ) -> None:
        self.ours = True
        self._logs = [(TopicPartition(log.topic, log.partition), log) for log in logs]
        self._clickhouse, self._committed = store, committed
        self._next = dict(committed)
        self._loop = SinkLoop(name, self, prepare, self)  # type: ignore[arg-type]  # its consumer and its store are here
        self._running: Coroutine[Any, Any, None] | None = None
        self._in_hand: Batch | None = None

    def step(self) -> bool:
        """Do one operation: False where there is nothing to do."""
        if self._running is None:
            records: dict[str, list] = {}
            offsets: dict[TopicPartition, int] = {}
            for partition, log in self._logs:
                found = log.read(self._next.get(partition, 0)) if log.end > self._next.get(partition, 0) else []
                if found:
                    records.setdefault(log.topic, []).extend(found)
                    offsets[partition] = self._next[partition] = found[-1].offset + 1
            if not offsets or not self.ours:
                return False
            self._running = self._loop._write_and_commit(records, offsets)
        try:
            self._running.send(None)
        except StopIteration:
            self._running = None
        return True

    def die(self, tables: int) -> None:
        if self._in_hand is not None:
            self._clickhouse.write(self._in_hand, tables)
        if self._running is not None:
            self._running.close()
        self._running = self._in_hand = None
        self.ours = False

    # The loop's store.

    async def write(self, batch: Batch) -> None:
        self._in_hand = batch
        await pause()
        self._clickhouse.write(batch)
        self._in_hand = None

    # The loop's consumer.

    def assignment(self) -> set[TopicPartition]:
        return {partition for partition, _ in self._logs}

    async def commit(self, offsets: dict[TopicPartition, int]) -> None:
        await pause()
        if not self.ours:
            raise CommitFailedError
        self._committed.update(offsets)
