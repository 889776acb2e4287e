"""Policies in `restock.feed`: published to every partition, and read back from one.

A version holds from its moment on, by each store's own time, until one with a later moment does; of two with the same
moment the one that was applied later.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence

import msgspec
from aiokafka import ConsumerRecord, TopicPartition

from schemas import feed
from schemas.errors import Stop
from schemas.feed import PoliciesSet, PolicySetting
from schemas.topics import FEED, MIB
from tillstream import kafka, topic_admin
from tillstream.publish import Publisher
from tillstream.reconcile import log
from tillstream.settings import Settings
from tillstream.waiting import admin

# What a topic takes in one message, less what Kafka adds.
_LARGEST = 4 * MIB - 4096
# As msgspec writes one: the feed holds few of them among many sales, which need not be decoded for it.
_HEAD = b'{"type":"policies"'


def version(rules: Sequence[PolicySetting], since: int) -> PoliciesSet:
    """The rules as a version that holds from a moment on (microseconds); the same of both is the same version."""
    digest = hashlib.blake2b(msgspec.json.encode([since, *rules]), digest_size=8).hexdigest()
    return PoliciesSet(version=digest, since=since, rules=list(rules))


async def publish(settings: Settings, policies: PoliciesSet, on_wait: Callable[[str], None]) -> int:
    """Send a version to every partition, each acknowledged; gives how many. Raises as Publisher does.

    One that is cut off is finished by sending the same version again: a partition that has it takes no notice.
    """
    value = feed.encode(policies)
    if len(value) > _LARGEST:
        raise Stop(
            f"{len(policies.rules):,} rules have {len(value):,} bytes, more than a message may have.",
            "Name categories rather than single SKUs where they have the same settings.",
        )
    async with Publisher(settings, settings.topic_prefix + FEED, on_wait) as publisher:
        for partition in range(publisher.partitions):
            await publisher.send(partition, [(None, value)])
        return publisher.partitions


async def applied(
    settings: Settings, on_total: Callable[[int], None], on_read: Callable[[int], None]
) -> list[PoliciesSet]:
    """Every version that was applied, in the order of the log; raises Unavailable, or Stop where the topic is missing.

    Reads the shortest partition, since each has them all. `on_total` is told how many messages that has, `on_read` how
    many more were read.
    """
    topic = settings.topic_prefix + FEED
    async with admin(settings) as client:
        if topic not in await client.list_topics():
            raise Stop(f"Kafka has no topic {topic}.", "Run `tillstream migrate`, or start `tillstream up`.")
        counts = await topic_admin.partition_counts(client, [topic])
    parts = [TopicPartition(topic, number) for number in range(counts[topic])]
    found: list[PoliciesSet] = []
    async with log.reader(settings) as consumer:
        ends = await kafka.end_offsets(consumer, parts)
        begins = await consumer.beginning_offsets(parts)
        part = min(parts, key=lambda one: ends[one] - begins[one])
        on_total(ends[part] - begins[part])
        async for records in log.read(consumer, part, ends[part], on_read):
            found += [_read(one) for one in records if (one.value or b"").startswith(_HEAD)]
    return found


def _read(record: ConsumerRecord) -> PoliciesSet:
    try:
        message = feed.decode(record.value)
    except msgspec.MsgspecError as fault:
        where = f"{record.topic}, partition {record.partition}, offset {record.offset}"
        raise Stop(f"{where}, is no policy: {fault}.") from None
    assert isinstance(message, PoliciesSet), "the head says so"
    return message


def in_force(versions: Sequence[PoliciesSet], now: int) -> tuple[PoliciesSet | None, list[PoliciesSet]]:
    """The version that holds at a moment, None before the first; and those to come, the next first."""
    by_moment = sorted(versions, key=lambda one: one.since)  # stable: of equal ones the later applied is last
    begun = [one for one in by_moment if one.since <= now]
    return (begun[-1] if begun else None), by_moment[len(begun) :]
