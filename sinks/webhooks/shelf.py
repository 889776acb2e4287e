"""Alerts by their place in the log. A delivery keeps only the place, so that one that waits for days costs little."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Mapping
from typing import Any

import msgspec
from aiokafka import AIOKafkaConsumer, TopicPartition

from schemas import alert as alerts
from schemas.alert import Alert
from sinks.clients import leave

KEPT = 5_000
_RECORDS = 500
_POLL_MS = 200


class Shelf:
    """Gives alerts: those read last from memory, others from Kafka, some of their neighbours with them."""

    def __init__(self, kafka_options: Mapping[str, Any], topic: str) -> None:
        self._options = kafka_options
        self._topic = topic
        self._kept: OrderedDict[tuple[int, int], bytes] = OrderedDict()
        self._consumer: AIOKafkaConsumer | None = None
        self._one_at_a_time = asyncio.Lock()

    def keep(self, partition: int, offset: int, value: bytes) -> None:
        """Remember an alert that was read just now."""
        self._kept[partition, offset] = value
        if len(self._kept) > KEPT:
            self._kept.popitem(last=False)

    async def get(self, partition: int, offset: int) -> Alert | None:
        """The alert there, or None where the log has none (any more); raises KafkaError."""
        value = self._kept.get((partition, offset))
        if value is None:
            async with self._one_at_a_time:
                value = self._kept.get((partition, offset)) or await self._read(partition, offset)
        try:
            return None if value is None else alerts.decode(value)
        except msgspec.MsgspecError:
            return None

    async def close(self) -> None:
        """Disconnect."""
        if self._consumer is not None:
            await leave(self._consumer)

    async def _read(self, partition: int, offset: int) -> bytes | None:
        place = TopicPartition(self._topic, partition)
        if self._consumer is None:
            # None of ours that starts for nothing: most alerts are delivered from memory.
            consumer = AIOKafkaConsumer(fetch_max_wait_ms=50, auto_offset_reset="earliest", **self._options)
            await consumer.start()
            self._consumer = consumer
        consumer = self._consumer
        consumer.assign([place])
        consumer.seek(place, offset)
        while True:
            records = (await consumer.getmany(place, timeout_ms=_POLL_MS, max_records=_RECORDS)).get(place, [])
            for record in records:
                self.keep(partition, record.offset, record.value or b"")
            if records:
                return (records[0].value or b"") if records[0].offset == offset else None
            end = consumer.highwater(place)
            if end is not None and end <= offset:
                return None
