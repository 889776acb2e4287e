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
from sinks.webhooks.endpoint import DAY
from sinks.webhooks.forgetting import FAILED, FAILED_KEPT, asked_for_until
from tillstream import kafka
from tillstream.publish import Publisher, Record
from tillstream.reconcile.log import read, reader
from tillstream.settings import Settings
from tillstream.webhooks.config import MICROSECOND

_SHOWS_IDS = "`tillstream webhook log` shows ids."
_KEPT = (
    f"Those that failed or found their endpoint disabled are kept for {FAILED_KEPT // DAY} days, others for"
    " TILLSTREAM_MAX_ALERT_AGE."
)


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
                for record in records:
                    _take(record, deliveries, endpoints)
    return Noted(deliveries, endpoints)


def _take(record: Any, deliveries: dict[str, Delivery], endpoints: dict[str, EndpointState]) -> None:
    if record.value is None:
        deliveries.pop((record.key or b"").decode(errors="replace"), None)
        return
    try:
        message = messages.decode(record.value)
    except msgspec.MsgspecError:
        return
    if isinstance(message, Delivery):
        deliveries[message.webhook_id] = message
    else:
        endpoints[message.endpoint] = message


def chosen(noted: Noted, ids: Iterable[str], endpoint: str | None, now: int, max_age: int) -> list[Delivery]:
    """The deliveries of these ids; without any, those that failed. Of one endpoint or all, the oldest first.

    Those that the sender is about to forget are left out: a tombstone could follow the request. Times in microseconds.

    Raises Stop where an id is unknown, or still to be sent, or too old.
    """
    ids = list(ids)
    for one in ids:
        if one not in noted.deliveries:
            raise Stop(f"No webhook has the id {one}, or it is too old to be sent again.", f"{_KEPT} {_SHOWS_IDS}")
        if noted.deliveries[one].state in messages.OPEN:
            raise Stop(f"{one} is still to be sent: {noted.deliveries[one].state}.", "Nothing needs to be done.")
        if now >= asked_for_until(noted.deliveries[one], max_age):
            raise Stop(f"{one} is too old to be sent again.", _KEPT)
    found = [noted.deliveries[one] for one in dict.fromkeys(ids)] if ids else list(noted.deliveries.values())
    return sorted(
        (
            one
            for one in found
            if (ids or (one.state in FAILED and now < asked_for_until(one, max_age)))
            and endpoint in (None, one.endpoint)
        ),
        key=lambda one: (one.occurred_at, one.sequence),
    )


async def repeat(settings: Settings, ids: Iterable[str], endpoint: str | None) -> tuple[list[Delivery], Noted]:
    """Ask the sender to send deliveries again, under the ids that they have. Raises Stop, Unavailable, KafkaError."""
    async with Publisher(settings, settings.topic_prefix + DELIVERIES) as publisher:
        noted = await read_log(settings, publisher.partitions)
        now = time.time_ns() // 1000
        wanted = chosen(noted, ids, endpoint, now, settings.max_alert_age // MICROSECOND)
        by_partition: dict[int, list[Record]] = {}
        for one in wanted:
            asked = replace(one, state="requested", attempt=0, next_at=0, status=0, reason="", at=now)
            by_partition.setdefault(one.partition, []).append((messages.key_of(asked), messages.encode(asked)))
        for partition, records in by_partition.items():
            await publisher.send(partition, records)
    return wanted, noted
