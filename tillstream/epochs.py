"""Which epochs exist: read from and written to the compacted topic `tillstream.epochs`."""

from __future__ import annotations

from datetime import timedelta
from typing import NamedTuple

import msgspec
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

from schemas import epoch as schema
from schemas.epoch import Epoch
from schemas.errors import Stop
from schemas.topics import EPOCHS, FIRST_EPOCH
from tillstream import kafka
from tillstream.settings import Settings

LOG_APPEND_TIME = 1


class KnownEpoch(NamedTuple):
    """An epoch, the offset of its last message in `tillstream.epochs`, and who stamped that message."""

    epoch: Epoch
    offset: int
    stamped_by_broker: bool


async def read_all(settings: Settings) -> dict[int, KnownEpoch]:
    """Every epoch by its number, as of now; raises Stop on a message that cannot be read."""
    found: dict[int, KnownEpoch] = {}
    part = TopicPartition(settings.topic_prefix + EPOCHS, 0)
    consumer = AIOKafkaConsumer(**kafka.client_options(settings), **kafka.TO_THE_END, enable_auto_commit=False)
    try:
        await consumer.start()
        end = (await kafka.end_offsets(consumer, [part]))[part]
        await consumer.seek_to_beginning(part)
        while await consumer.position(part) < end:
            for record in (await consumer.getmany(part, timeout_ms=1000)).get(part, []):
                try:
                    known = schema.decode(record.value or b"")
                except msgspec.MsgspecError as fault:
                    raise Stop(f"{part.topic}, offset {record.offset}, is no epoch: {fault}.") from None
                found[known.epoch] = KnownEpoch(known, record.offset, record.timestamp_type == LOG_APPEND_TIME)
    finally:
        await consumer.stop()
    return found


async def write(settings: Settings, epoch: Epoch) -> KnownEpoch:
    """Write an epoch to the topic; returns once all in-sync brokers have it."""
    producer = AIOKafkaProducer(**kafka.client_options(settings), acks="all")
    try:
        await producer.start()
        topic = settings.topic_prefix + EPOCHS
        sent = await producer.send_and_wait(topic, schema.encode(epoch), key=str(epoch.epoch).encode())
    finally:
        await producer.stop()
    return KnownEpoch(epoch, sent.offset, sent.timestamp_type == LOG_APPEND_TIME)


def first(settings: Settings) -> Epoch:
    """The first epoch of an installation, with window and grace of the settings."""
    second = timedelta(seconds=1)
    return Epoch(FIRST_EPOCH, "live", settings.window // second, settings.grace // second)


def live(known: dict[int, KnownEpoch], settings: Settings) -> KnownEpoch | None:
    """The live epoch with the largest number, or None; Stop if its window or grace are not the settings'."""
    newest = newest_live(known)
    if newest is not None:
        check(newest.epoch, settings)
    return newest


def newest_live(known: dict[int, KnownEpoch]) -> KnownEpoch | None:
    """The live epoch with the largest number, whatever the settings say, or None."""
    alive = [entry for entry in known.values() if entry.epoch.state == "live"]
    return max(alive, key=lambda entry: entry.epoch.epoch, default=None)


def check(epoch: Epoch, settings: Settings) -> None:
    """Raise Stop where window or grace were changed: totals of two windows cannot be added up."""
    wanted = first(settings)
    faults = [
        f"TILLSTREAM_{name.upper()} is {wanted_seconds} s, but epoch {epoch.epoch} was computed with {seconds} s"
        for name, wanted_seconds, seconds in (
            ("window", wanted.window, epoch.window),
            ("grace", wanted.grace, epoch.grace),
        )
        if wanted_seconds != seconds
    ]
    if faults:
        raise Stop(
            "; ".join(faults) + ".",
            f"Put back TILLSTREAM_WINDOW={epoch.window}s and TILLSTREAM_GRACE={epoch.grace}s: a change needs every "
            "figure computed anew, which `tillstream rebuild` will do in a later version.",
        )
