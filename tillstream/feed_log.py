"""What every partition of `restock.feed` has, so that each store hears of it: published to all, and read back from one.

Partitions are written one after the other: the first has what anybody began to publish, the last what has come to all.
So whoever asks whether something is to be published reads these two, and whoever only looks reads the shortest.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TypeVar

import msgspec
from aiokafka import ConsumerRecord, TopicPartition

from schemas import feed
from schemas.errors import Stop
from schemas.feed import Campaign, Catalogue, FeedMessage, PoliciesSet
from schemas.topics import FEED, MIB
from tillstream import kafka, topic_admin
from tillstream.publish import Publisher
from tillstream.reconcile import log
from tillstream.settings import Settings
from tillstream.waiting import admin

# What a topic takes in one message, less what Kafka adds.
LARGEST = 4 * MIB - 4096
Shared = TypeVar("Shared", PoliciesSet, Catalogue, Campaign)


def _nobody(_: int) -> None:
    """Where nobody watches."""


async def publish(
    settings: Settings,
    messages: Sequence[FeedMessage],
    on_wait: Callable[[str], None],
    on_total: Callable[[int], None] = _nobody,
    on_sent: Callable[[int], None] = _nobody,
) -> int:
    """Send messages to every partition, in their order, each acknowledged; gives how many partitions there are.

    `on_total` is told how many will be sent, `on_sent` how many more were. What is cut off is finished by sending the
    same again. Raises as Publisher does.
    """
    records = [(None, feed.encode(one)) for one in messages]
    async with Publisher(settings, settings.topic_prefix + FEED, on_wait) as publisher:
        on_total(len(records) * publisher.partitions)
        for partition in range(publisher.partitions):
            await publisher.send(partition, records)
            on_sent(len(records))
        return publisher.partitions


async def read(
    settings: Settings,
    kind: type[Shared],
    on_total: Callable[[int], None] = _nobody,
    on_read: Callable[[int], None] = _nobody,
) -> list[Shared]:
    """Every message of a kind, in the order of the log; raises Unavailable, or Stop where the topic is missing.

    Reads the shortest partition. `on_total` is told how many messages that has, `on_read` how many more were read.
    """

    def shortest(lengths: Sequence[int]) -> list[int]:
        return [min(range(len(lengths)), key=lambda number: lengths[number])]

    records = await _records(settings, (head(kind),), shortest, on_total, on_read)
    return [_decoded(one, kind) for one in records[0]]


async def read_first_and_last(
    settings: Settings,
    kind: type[Shared],
    on_total: Callable[[int], None] = _nobody,
    on_read: Callable[[int], None] = _nobody,
) -> tuple[list[Shared], list[Shared]]:
    """Every message of a kind in the first partition, and in the last; otherwise as `read`."""
    records = await _records(settings, (head(kind),), lambda lengths: [0, len(lengths) - 1], on_total, on_read)
    first, last = ([_decoded(one, kind) for one in part] for part in records)
    return first, last


async def tell_added(settings: Settings, partitions: Iterable[int]) -> int:
    """Send partitions that were added all that the first one has for every store; gives how many messages that is."""
    heads = head(PoliciesSet), head(Catalogue), head(Campaign)
    (records,) = await _records(settings, heads, lambda _: [0], _nobody, _nobody)
    if records:
        async with Publisher(settings, settings.topic_prefix + FEED) as publisher:
            for partition in partitions:
                await publisher.send(partition, [(one.key, one.value) for one in records])
    return len(records)


async def _records(
    settings: Settings,
    heads: tuple[bytes, ...],
    choose: Callable[[Sequence[int]], list[int]],
    on_total: Callable[[int], None],
    on_read: Callable[[int], None],
) -> list[list[ConsumerRecord]]:
    """Messages that begin so, of each partition that `choose` names, given their lengths."""
    topic = settings.topic_prefix + FEED
    async with admin(settings) as client:
        if topic not in await client.list_topics():
            raise Stop(f"Kafka has no topic {topic}.", "Run `tillstream migrate`, or start `tillstream up`.")
        counts = await topic_admin.partition_counts(client, [topic])
    parts = [TopicPartition(topic, number) for number in range(counts[topic])]
    async with log.reader(settings) as consumer:
        ends = await kafka.end_offsets(consumer, parts)
        begins = await consumer.beginning_offsets(parts)
        lengths = [ends[one] - begins[one] for one in parts]
        chosen = choose(lengths)
        on_total(sum(lengths[number] for number in chosen))
        return [
            [
                record
                async for records in log.read(consumer, parts[number], ends[parts[number]], on_read)
                for record in records
                if (record.value or b"").startswith(heads)
            ]
            for number in chosen
        ]


def head(kind: type[Shared]) -> bytes:
    """How each message of a kind begins: the feed holds few of them among many sales, which need not be decoded."""
    return f'{{"type":"{kind.__struct_config__.tag}"'.encode()


def _decoded(record: ConsumerRecord, kind: type[Shared]) -> Shared:
    try:
        message = feed.decode(record.value)
    except msgspec.MsgspecError as fault:
        where = f"{record.topic}, partition {record.partition}, offset {record.offset}"
        raise Stop(f"{where}, is no {kind.__struct_config__.tag} message: {fault}.") from None
    assert isinstance(message, kind), "the head says so"
    return message
