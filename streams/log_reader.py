"""Reads logs beside the consumer group: where one begins and ends, what stands at an offset, what came since."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from typing import Any, TypeVar

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError, OffsetOutOfRangeError

from schemas.errors import Stop
from streams.records import fingerprint
from streams.same_log import LogView

log = logging.getLogger(__name__)

LONGEST_WAIT = 5.0
POLL_MS = 20
T = TypeVar("T")


async def look(options: Mapping[str, Any], topic: str, offsets: Mapping[int, int]) -> dict[int, LogView]:
    """See each partition around an offset; waits for as long as Kafka is away.

    `options` are those of every aiokafka client; `offsets` maps partitions to the offset to look at.
    """
    return await _patiently(options, lambda consumer: _look(consumer, topic, offsets))


async def bounds(options: Mapping[str, Any], topic: str, partitions: Iterable[int]) -> dict[int, tuple[int, int]]:
    """Of each partition, its first offset and its end, which may be told too early; waits while Kafka is away."""

    async def ask(consumer: AIOKafkaConsumer) -> dict[int, tuple[int, int]]:
        parts = [TopicPartition(topic, partition) for partition in partitions]
        firsts, ends = await consumer.beginning_offsets(parts), await consumer.end_offsets(parts)
        return {part.partition: (firsts[part], ends[part]) for part in parts}

    return await _patiently(options, ask)


async def read_on(options: Mapping[str, Any], topic: str, offsets: Mapping[int, int]) -> dict[int, list[Any]]:
    """Read each partition from an offset to its end, as it is when it is reached; waits for as long as Kafka is away.

    Raises Stop where a partition ends before its offset.
    """

    async def ask(consumer: AIOKafkaConsumer) -> dict[int, list[Any]]:
        found: dict[int, list[Any]] = {partition: [] for partition in offsets}
        await _read_through(consumer, topic, offsets, lambda partition, records: found[partition].extend(records))
        return found

    return await _patiently(options, ask)


async def read_through(
    options: Mapping[str, Any], topic: str, partitions: Iterable[int], take: Callable[[int, Sequence[Any]], None]
) -> None:
    """Read each partition from its beginning to its end, each fetch handed on as it comes.

    After an outage all of it comes again.
    """
    tps = [TopicPartition(topic, partition) for partition in partitions]

    async def ask(consumer: AIOKafkaConsumer) -> None:
        firsts = await consumer.beginning_offsets(tps)
        await _read_through(consumer, topic, {tp.partition: first for tp, first in firsts.items()}, take)

    await _patiently(options, ask)


async def _patiently(options: Mapping[str, Any], ask: Callable[[AIOKafkaConsumer], Awaitable[T]]) -> T:
    wait = 0.1
    while True:
        # What is there is answered at once; that there is nothing, within fetch_max_wait_ms. Of a topic that a client
        # has not met before it asks for the leader, and for an offset again after its backoff.
        consumer = AIOKafkaConsumer(
            **options,
            enable_auto_commit=False,
            auto_offset_reset="none",
            fetch_max_wait_ms=POLL_MS,
            retry_backoff_ms=POLL_MS,
        )
        try:
            await consumer.start()
            return await ask(consumer)
        except KafkaError as fault:
            log.warning("Kafka does not show its log (%s): waiting", type(fault).__name__)
        finally:
            await consumer.stop()
        await asyncio.sleep(wait)
        wait = min(LONGEST_WAIT, 2 * wait)


async def _read_through(
    consumer: AIOKafkaConsumer, topic: str, offsets: Mapping[int, int], take: Callable[[int, Sequence[Any]], None]
) -> None:
    waiting = {TopicPartition(topic, partition): offset for partition, offset in offsets.items()}
    consumer.assign(list(waiting))
    for tp, offset in waiting.items():
        consumer.seek(tp, offset)
    while waiting:
        try:
            # Where there is nothing, aiokafka waits for all of this, though the broker has said so long before.
            fetched = await consumer.getmany(*waiting, timeout_ms=POLL_MS)
        except OffsetOutOfRangeError:
            raise Stop(f"{topic} lost its end while it was read.", "Start the worker again.") from None
        for tp, records in fetched.items():
            take(tp.partition, records)
        for tp in list(waiting):
            # Of a fetch that was answered after all before it was read: whatever was written by then is in hand.
            end = consumer.highwater(tp)
            if end is not None and await consumer.position(tp) >= end:
                del waiting[tp]


async def _look(consumer: AIOKafkaConsumer, topic: str, offsets: Mapping[int, int]) -> dict[int, LogView]:
    wanted = {TopicPartition(topic, partition): offset for partition, offset in offsets.items()}
    firsts: dict[TopicPartition, int] = await consumer.beginning_offsets(list(wanted))
    ends: dict[TopicPartition, int] = await consumer.end_offsets(list(wanted))
    # All at once, so that a fetch brings the records of all: one after the other, each waits for the one before.
    there = [tp for tp, offset in wanted.items() if firsts[tp] <= offset]
    if there:
        consumer.assign(there)
    for tp in there:
        consumer.seek(tp, wanted[tp])
    views = {}
    for tp, offset in wanted.items():
        found, end = None, ends[tp]
        if firsts[tp] <= offset:
            found, end = await _record_at(consumer, tp, offset, end)
        views[tp.partition] = LogView(firsts[tp], end, found)
    return views


async def _record_at(consumer: AIOKafkaConsumer, tp: TopicPartition, offset: int, end: int) -> tuple[int | None, int]:
    """(fingerprint of the record at an offset, end of the log), given the end that ListOffsets tells.

    The embedded broker's ListOffsets is short where a batch holds several records, and Kafka's high watermark
    of a fetch is for a moment after a new leader: the larger of both is the end.
    """
    while True:
        try:
            records = (await consumer.getmany(tp, timeout_ms=500, max_records=1)).get(tp)
        except OffsetOutOfRangeError:
            return None, end  # Kafka's answer beyond its end; the embedded broker's is an empty one
        end = max(end, consumer.highwater(tp) or 0)
        if records:
            record = records[0]
            return (fingerprint(offset, record.key, record.value) if record.offset == offset else None), end
        seen = consumer.highwater(tp) is not None
        if seen and (end <= offset or await consumer.position(tp) > offset):
            return None, end
