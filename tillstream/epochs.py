"""Which epochs exist: read from and written to the compacted topic `tillstream.epochs`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import timedelta
from typing import Literal, NamedTuple

import msgspec
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, ConsumerRecord, TopicPartition
from clickhouse_connect.driver.client import Client

from schemas import epoch as schema
from schemas.epoch import Epoch
from schemas.errors import Stop
from schemas.topics import EPOCHS, FIRST_EPOCH
from tillstream import kafka
from tillstream.settings import Settings

LOG_APPEND_TIME = 1
_SECOND = timedelta(seconds=1)


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
                known = read(record)
                found[known.epoch.epoch] = known
    finally:
        await consumer.stop()
    return found


def read(record: ConsumerRecord) -> KnownEpoch:
    """Read a message of `tillstream.epochs`; raises Stop on what is none."""
    try:
        epoch = schema.decode(record.value or b"")
    except msgspec.MsgspecError as fault:
        raise Stop(f"{record.topic}, offset {record.offset}, is no epoch: {fault}.") from None
    return KnownEpoch(epoch, record.offset, record.timestamp_type == LOG_APPEND_TIME)


def log_of(epoch: Epoch, known: Mapping[int, KnownEpoch]) -> int:
    """Which life of `pos.receipts` an epoch reads: the number of the first that read it.

    A rebuild reads the log of the epochs whose place it takes; any other begins with a topic that was made anew.
    """
    before = [known[number].epoch for number in epoch.replaces if number in known]
    return max((log_of(one, known) for one in before), default=epoch.epoch)


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
    """The first epoch of an installation, with window, grace and bound on skew of the settings."""
    return with_settings(FIRST_EPOCH, "live", settings)


def with_settings(number: int, state: Literal["live", "building"], settings: Settings) -> Epoch:
    """An epoch as the settings ask for it."""
    return Epoch(
        number, state, settings.window // _SECOND, settings.grace // _SECOND, max_skew=settings.max_skew // _SECOND
    )


def settings_of(settings: Settings, epoch: Epoch) -> Settings:
    """The settings, but for what the epoch has decided."""
    decided = {"window": epoch.window * _SECOND, "grace": epoch.grace * _SECOND}
    if epoch.max_skew is not None:
        decided["max_skew"] = epoch.max_skew * _SECOND
    return settings.model_copy(update=decided)


def counting(known: Mapping[int, KnownEpoch]) -> list[KnownEpoch]:
    """The live epochs whose place no other has taken, the newest last: what the views add up."""
    alive = [entry for _, entry in sorted(known.items()) if entry.epoch.state == "live"]
    replaced = {number for entry in alive for number in entry.epoch.replaces}
    return [entry for entry in alive if entry.epoch.epoch not in replaced]


def newest_live(known: Mapping[int, KnownEpoch]) -> KnownEpoch | None:
    """The live epoch with the largest number, whatever the settings say, or None: the one that receipts go into."""
    found = counting(known)
    return found[-1] if found else None


def live(known: Mapping[int, KnownEpoch], settings: Settings) -> KnownEpoch | None:
    """The live epoch with the largest number, or None; Stop if what it was computed with is not the settings'."""
    newest = newest_live(known)
    if newest is not None:
        check(newest.epoch, settings)
    return newest


def check(epoch: Epoch, settings: Settings) -> None:
    """Raise Stop where window, grace or the bound on skew were changed: totals of two rules cannot be added up."""
    wanted = first(settings)
    faults = [
        (name, asked, has)
        for name, asked, has in (
            ("TILLSTREAM_WINDOW", wanted.window, epoch.window),
            ("TILLSTREAM_GRACE", wanted.grace, epoch.grace),
            ("TILLSTREAM_MAX_SKEW", wanted.max_skew, epoch.max_skew),
        )
        if asked != has and has is not None
    ]
    if faults:
        raise Stop(
            "; ".join(
                f"{name} is {asked} s, but epoch {epoch.epoch} was computed with {has} s" for name, asked, has in faults
            )
            + ".",
            f"Set {' '.join(f'{name}={has}s' for name, _, has in faults)}; or compute every figure anew with the new"
            " values, beside the running ones: `tillstream rebuild`.",
        )


def copy(client: Client, known: Iterable[KnownEpoch]) -> None:
    """Write epochs into ClickHouse, for the views; the version is the message's offset, so a copy changes nothing."""
    names = ["epoch", "state", "window_seconds", "grace_seconds", "max_skew_seconds", "replaces", "version"]
    rows = [
        [one.epoch, one.state, one.window, one.grace, one.max_skew, list(one.replaces), offset]
        for one, offset, _ in known
    ]
    if rows:
        client.insert("epochs", rows, column_names=names)
