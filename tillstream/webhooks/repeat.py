"""Have webhooks sent again: a record that asks for it, in the log from which the sender takes its work."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import msgspec
from aiokafka import TopicPartition
from msgspec.structs import replace

from schemas import delivery as messages
from schemas.delivery import Delivery, EndpointState
from schemas.errors import Stop
from schemas.topics import DELIVERIES
from tillstream import kafka
from tillstream.publish import Publisher, Record
from tillstream.reconcile.log import read, reader
from tillstream.settings import Settings

# What a repeat is for, where nobody names an id.
FAILED = ("failed", "disabled")


@dataclass(frozen=True, slots=True)
class Noted:
    """What the log says: every delivery by its id, every endpoint by its name."""

    deliveries: Mapping[str, Delivery]
    endpoints: Mapping[str, EndpointState]


async def read_log(settings: Settings, partitions: int) -> Noted:
    """Read `webhook.deliveries` to its end; what is no message is passed over. Raises KafkaError."""
    deliveries: dict[str, Delivery] = {}
    endpoints: dict[str, EndpointState] = {}
    topic = settings.topic_prefix + DELIVERIES
    async with reader(settings) as consumer:
        ends = await kafka.end_offsets(consumer, [TopicPartition(topic, number) for number in range(partitions)])
        for partition, end in ends.items():
            async for records in read(consumer, partition, end, lambda _: None):
                for message in _messages(records):
                    if isinstance(message, Delivery):
                        deliveries[message.webhook_id] = message
                    else:
                        endpoints[message.endpoint] = message
    return Noted(deliveries, endpoints)


def _messages(records: Iterable[Any]) -> Iterable[messages.Message]:
    for record in records:
        try:
            yield messages.decode(record.value or b"")
        except msgspec.MsgspecError:
            continue


def chosen(noted: Noted, ids: Iterable[str], endpoint: str | None) -> list[Delivery]:
    """The deliveries of these ids; without any, those that failed. Of one endpoint or all, the oldest first.

    Raises Stop where an id is unknown, or still to be sent.
    """
    ids = list(ids)
    for one in ids:
        if one not in noted.deliveries:
            raise Stop(f"No webhook has the id {one}.", "`tillstream webhook log` shows ids.")
        if noted.deliveries[one].state in messages.OPEN:
            raise Stop(f"{one} is still to be sent: {noted.deliveries[one].state}.", "Nothing needs to be done.")
    found = [noted.deliveries[one] for one in dict.fromkeys(ids)] if ids else list(noted.deliveries.values())
    return sorted(
        (one for one in found if (ids or one.state in FAILED) and endpoint in (None, one.endpoint)),
        key=lambda one: (one.occurred_at, one.sequence),
    )


async def repeat(settings: Settings, ids: Iterable[str], endpoint: str | None) -> tuple[list[Delivery], Noted]:
    """Ask the sender to send deliveries again, under the ids that they have. Raises Stop, Unavailable, KafkaError."""
    async with Publisher(settings, settings.topic_prefix + DELIVERIES) as publisher:
        noted = await read_log(settings, publisher.partitions)
        wanted = chosen(noted, ids, endpoint)
        now = time.time_ns() // 1000
        by_partition: dict[int, list[Record]] = {}
        for one in wanted:
            asked = replace(one, state="requested", attempt=0, next_at=0, status=0, reason="", at=now)
            by_partition.setdefault(one.partition, []).append((messages.key_of(asked), messages.encode(asked)))
        for partition, records in by_partition.items():
            await publisher.send(partition, records)
    return wanted, noted
