"""Looks at partitions of the log, beside the consumer group: where they begin and end, what stands at an offset."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError, OffsetOutOfRangeError

from streams.records import fingerprint
from streams.same_log import LogView

log = logging.getLogger(__name__)

LONGEST_WAIT = 5.0


async def look(options: Mapping[str, Any], topic: str, offsets: Mapping[int, int]) -> dict[int, LogView]:
    """See each partition around an offset; waits for as long as Kafka is away.

    `options` are those of every aiokafka client; `offsets` maps partitions to the offset to look at.
    """
    wait = 0.1
    while True:
        consumer = AIOKafkaConsumer(**options, enable_auto_commit=False, auto_offset_reset="none")
        try:
            await consumer.start()
            return await _look(consumer, topic, offsets)
        except KafkaError as fault:
            log.warning("Kafka does not show its log (%s): waiting", type(fault).__name__)
        finally:
            await consumer.stop()
        await asyncio.sleep(wait)
        wait = min(LONGEST_WAIT, 2 * wait)


async def _look(consumer: AIOKafkaConsumer, topic: str, offsets: Mapping[int, int]) -> dict[int, LogView]:
    wanted = {TopicPartition(topic, partition): offset for partition, offset in offsets.items()}
    firsts: dict[TopicPartition, int] = await consumer.beginning_offsets(list(wanted))
    ends: dict[TopicPartition, int] = await consumer.end_offsets(list(wanted))
    views = {}
    for tp, offset in wanted.items():
        found, end = None, ends[tp]
        if firsts[tp] <= offset:
            consumer.assign([tp])
            consumer.seek(tp, offset)
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
