"""Follows `restock.feed` and `stock.movements` beside the fold, for the partitions that this worker has.

Reads with a consumer of its own and in no group: where it goes on is told by the feed itself, since all that restock
knows is a function of it. So whoever else may follow the same partition for a moment (a frozen worker that wakes up)
tells and decides the same, under the same ids.

It goes on from its newest snapshot (streams.snapshots); where none can be used, from the feed's beginning. The feed is
read to the end that it has at the start before anything is told to it: until then nobody here knows what is
tracked (streams.tracking). Alerts that were sent before are not sent again: the last one in `restock.alerts` says up to
which message of the feed all were acknowledged.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from streams.guard import guarded
from streams.log_reader import bounds, read_on
from streams.metrics import undecided
from streams.restock_part import RestockPart, sent_until
from streams.snapshot_read import read_snapshots
from streams.together import side_by_side

log = logging.getLogger(__name__)

POLL_MS = 20
RECORDS_PER_POLL = 500
LONGEST_WAIT = 5.0


class Restocking:
    """The restock parts of the partitions that are assigned now."""

    def __init__(
        self,
        options: Mapping[str, Any],
        topics: Mapping[str, str],
        crash: Callable[[BaseException], Awaitable[Any]],
    ) -> None:
        self._options = options
        self._topics = topics
        self._crash = crash
        self._running: asyncio.Task[None] | None = None
        self._rounds: dict[int, asyncio.Task[None]] = {}

    def start(self, parts: list[RestockPart]) -> None:
        """Begin with the parts of an assignment; those of the one before were dropped."""
        if parts:
            work = self._run({part.partition: part for part in parts})
            self._running = asyncio.create_task(guarded(work, "restock", self._crash))

    async def drop(self) -> None:
        """Stop, wherever it is: the next owner goes on from the feed."""
        running, self._running = self._running, None
        if running is not None:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)
        # Only now: it might have begun another one.
        rounds, self._rounds = list(self._rounds.values()), {}
        for one in rounds:
            one.cancel()
        await asyncio.gather(*rounds, return_exceptions=True)

    async def _run(self, parts: dict[int, RestockPart]) -> None:
        await read_snapshots(self._options, self._topics, parts.values())
        for partition, offset in (await self._sent_until(list(parts))).items():
            parts[partition].sent_until = offset
        wait = 0.1
        while True:
            # What is there is answered at once; this bounds how long an empty fetch is held.
            consumer = AIOKafkaConsumer(
                **self._options,
                enable_auto_commit=False,
                auto_offset_reset="earliest",
                fetch_max_wait_ms=POLL_MS,
                max_partition_fetch_bytes=4 * 1024 * 1024,
            )
            try:
                await consumer.start()
                await self._follow(consumer, parts)
            except KafkaError as fault:
                log.warning("restock: Kafka does not answer (%s): asking again", type(fault).__name__)
            finally:
                with contextlib.suppress(KafkaError):
                    await consumer.stop()
            await asyncio.sleep(wait)
            wait = min(LONGEST_WAIT, 2 * wait)

    async def _follow(self, consumer: AIOKafkaConsumer, parts: dict[int, RestockPart]) -> None:
        """Follow both topics until the consumer reads no more."""
        feeds = {TopicPartition(self._topics["feed"], number): part for number, part in parts.items()}
        stocks = {tp: TopicPartition(self._topics["stock"], tp.partition) for tp in feeds}
        consumer.assign([*feeds, *stocks.values()])
        for tp, part in feeds.items():
            consumer.seek(tp, part.state.applied + 1)
        consumer.pause(*stocks.values())
        behind = dict(feeds)
        while not _reads_no_more(consumer):
            fetched = await consumer.getmany(timeout_ms=POLL_MS, max_records=RECORDS_PER_POLL)
            # Side by side: an acknowledgement that one partition waits for holds up no other one's alerts.
            await side_by_side(
                _take(consumer, tp, part, fetched.get(tp), fetched.get(stocks[tp])) for tp, part in feeds.items()
            )
            for part in feeds.values():
                await self._snapshot(part)
            for tp in await _caught_up(consumer, behind):
                part = behind.pop(tp)
                part.begin()
                log.info("restock follows partition %d: %d messages of its feed were read", tp.partition, part.read)
                consumer.seek(stocks[tp], part.state.movements + 1)
                consumer.resume(stocks[tp])

    async def _snapshot(self, part: RestockPart) -> None:
        """Begin a round of snapshots where one is due, which goes on by itself; one at a time for each partition."""
        before = self._rounds.get(part.partition)
        if (before is not None and not before.done()) or not part.snapshots.is_due(part.state):
            return
        taken = await part.snapshots.take(part.state)
        if taken is not None:
            work = guarded(part.snapshots.write(taken), "a snapshot of restock", self._crash)
            self._rounds[part.partition] = asyncio.create_task(work)

    async def _sent_until(self, partitions: list[int]) -> dict[int, int]:
        """Of each partition, the feed's offset up to which every alert was acknowledged."""
        topic = self._topics["alerts"]
        found_at = await bounds(self._options, topic, partitions)
        # The end may be told too early (see log_reader): what is read is the last one of now in any case.
        last = {number: max(first, end - 1) for number, (first, end) in found_at.items()}
        found = await read_on(self._options, topic, last)
        return {number: sent_until(records) for number, records in found.items()}


async def _take(
    consumer: AIOKafkaConsumer,
    feed: TopicPartition,
    part: RestockPart,
    told: Sequence[Any] | None,
    moved: Sequence[Any] | None,
) -> None:
    """Take what was fetched of a partition, and tell how its items stand: in turn, since they share an outlet."""
    if told:
        await part.take_feed(told)
    if moved:
        await part.take_movements(moved)
    left = await _left(consumer, feed)
    undecided(feed.partition, left or 0)
    await part.send_positions(asyncio.get_running_loop().time(), behind=left != 0)


async def _caught_up(consumer: AIOKafkaConsumer, behind: Mapping[TopicPartition, RestockPart]) -> list[TopicPartition]:
    return [tp for tp in behind if await _left(consumer, tp) == 0]


async def _left(consumer: AIOKafkaConsumer, tp: TopicPartition) -> int | None:
    """How many messages wait to be read, None where nobody has said so yet."""
    end = consumer.highwater(tp)
    return None if end is None else max(0, end - await consumer.position(tp))


def _reads_no_more(consumer: AIOKafkaConsumer) -> bool:
    """Whether a task of aiokafka's has ended that it cannot read on without."""
    return bool(consumer._fetcher._fetch_task.done() or consumer._client._sync_task.done())  # noqa: SLF001  # it tells nobody
