"""Consumer groups of the roles: their names, and whether the broker has given them their partitions."""

from __future__ import annotations

import asyncio

from aiokafka.errors import KafkaError

from schemas.topics import group_id
from tillstream.settings import Settings
from tillstream.waiting import admin

POLL_SECONDS = 0.2
STABLE = "Stable"

# The groups in which each role reads.
GROUPS = {"worker": ("worker",), "sink": ("clickhouse", "ledger")}


def groups_of(settings: Settings, role: str, epoch: int) -> list[str]:
    """Names of the groups of a role."""
    return [group_id(settings.topic_prefix, epoch, name) for name in GROUPS[role]]


async def wait_until_assigned(settings: Settings, groups: list[str]) -> None:
    """Return once every group has members and the broker has given out its partitions."""
    waiting = set(groups)
    while waiting:
        for group in sorted(waiting):
            if await _assigned(settings, group):
                waiting.discard(group)
        if waiting:
            await asyncio.sleep(POLL_SECONDS)  # the broker has no way to tell us of its own accord


async def _assigned(settings: Settings, name: str) -> bool:
    """Whether the group is stable and has members.

    The embedded broker's answer for a group that nobody has joined yet cannot be read, and ends the connection:
    it is asked through a connection of its own, and that is a no.
    """
    try:
        async with admin(settings) as client:
            answers = await client.describe_consumer_groups([name])
    except (KafkaError, ValueError):
        return False
    return any(group[2] == STABLE and group[5] for answer in answers for group in answer.groups)
