"""Adds partitions to all topics at once: they must have one count, and `pos.receipts` must be the last to grow."""

from __future__ import annotations

from aiokafka.admin import AIOKafkaAdminClient, NewPartitions
from aiokafka.errors import IncompatibleBrokerVersion

from schemas.errors import Stop
from schemas.topics import FEED, RECEIPTS, changelog_topic
from tillstream import feed_log, topic_admin
from tillstream.heard import heard_by_all
from tillstream.settings import Settings


async def add_partitions(client: AIOKafkaAdminClient, settings: Settings) -> list[str]:
    """Bring every topic that is there to TILLSTREAM_PARTITIONS; gives the names of those that grew, in their order.

    Raises Stop where a topic has more already, since Kafka takes no partition away, or where the broker cannot do it.
    """
    there = set(await client.list_topics())
    names = sorted(
        [spec.name for spec in topic_admin.wanted(settings, None) if spec.partitions > 1 and spec.name in there]
        + [name for name in there if _is_changelog(name, settings.topic_prefix)],
        # Receipts come into the new partitions as soon as tills hear of them: what they lead to must be there.
        key=lambda name: (name == settings.topic_prefix + RECEIPTS, name),
    )
    counts = await topic_admin.partition_counts(client, names) if names else {}
    for name, count in counts.items():
        if count > settings.partitions:
            raise Stop(
                f"The topic {name} has {count} partitions, more than {settings.partitions}, and Kafka takes none away.",
                f"Set TILLSTREAM_PARTITIONS={count} or more.",
            )
    grown = [name for name in names if counts[name] < settings.partitions]
    for name in grown:
        if name == settings.topic_prefix + RECEIPTS and settings.topic_prefix + FEED in counts:
            # Stores that move there have policies and campaigns as before. Receipts grow last: a repeat does it again.
            await feed_log.tell_added(settings, range(counts[name], settings.partitions))
        await _grow(client, name, settings.partitions)
        # Before the next one grows: tills may ask any broker.
        await heard_by_all(client, {name: settings.partitions})
    return grown


async def _grow(client: AIOKafkaAdminClient, name: str, total: int) -> None:
    try:
        answer = await client.create_partitions({name: NewPartitions(total)})
    except IncompatibleBrokerVersion:
        raise Stop(
            "This broker cannot add partitions to a topic.",
            "The embedded one begins with as many as TILLSTREAM_PARTITIONS says.",
        ) from None
    for entry in answer.topic_errors:
        if entry[1]:
            raise Stop(
                f"Kafka did not add partitions to {entry[0]}: {entry[2] or 'no reason given'} (error {entry[1]})."
            )


def _is_changelog(name: str, prefix: str) -> bool:
    head, _, tail = changelog_topic(prefix, 0).partition("-e0-")
    return name.startswith(f"{head}-e") and name.endswith(f"-{tail}")
