"""Writes `webhook.deliveries`: a message counts once Kafka has acknowledged it."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

from aiokafka import AIOKafkaProducer

from schemas.delivery import ENDPOINTS_PARTITION, Delivery, EndpointState, Message, encode, key_of


class Recorder:
    """A producer of one topic. All methods raise KafkaError."""

    def __init__(self, kafka_options: Mapping[str, Any], topic: str) -> None:
        self._topic = topic
        self._producer = AIOKafkaProducer(acks="all", **kafka_options)

    async def start(self) -> None:
        """Connect."""
        await self._producer.start()

    async def stop(self) -> None:
        """Disconnect."""
        await self._producer.stop()

    async def write(self, message: Message) -> None:
        """Write one message into its partition; returns once it is acknowledged."""
        partition = ENDPOINTS_PARTITION if isinstance(message, EndpointState) else message.partition
        await self._producer.send_and_wait(self._topic, encode(message), key=key_of(message), partition=partition)

    async def write_all(self, partition: int, deliveries: Sequence[Delivery]) -> None:
        """Write deliveries of one partition in order: one is in the log only if all before it are."""
        await self._write_all(partition, [(key_of(one), encode(one)) for one in deliveries])

    async def forget(self, partition: int, webhook_ids: Sequence[str]) -> None:
        """Write tombstones: compaction removes these ids, and in the end the tombstones."""
        await self._write_all(partition, [(webhook_id.encode(), None) for webhook_id in webhook_ids])

    async def _write_all(self, partition: int, records: Sequence[tuple[bytes, bytes | None]]) -> None:
        begin = 0
        while begin < len(records):
            batch = self._producer.create_batch()
            end = begin
            while end < len(records):
                key, value = records[end]
                if batch.append(key=key, value=value, timestamp=None) is None:
                    break
                end += 1
            acknowledged: asyncio.Future[object] = await self._producer.send_batch(
                batch, self._topic, partition=partition
            )
            await acknowledged
            begin = end
