"""Consumer groups of the roles: their names, and whether the broker has given them their partitions."""

from __future__ import annotations

import asyncio

from aiokafka.errors import KafkaError

from schemas.topics import group_id, rows_group, webhooks_group
from tillstream.settings import Settings
from tillstream.waiting import admin

POLL_SECONDS = 0.2
STABLE = "Stable"


def groups_of(settings: Settings, role: str, epoch: int) -> list[str]:
    """Names of the groups in which a role reads; the last is of the epoch."""
    prefix = settings.topic_prefix
    if role == "worker":
        return [group_id(prefix, epoch)]
    webhooks = [webhooks_group(prefix)] if settings.webhooks else []
    return [rows_group(prefix), *webhooks, group_id(prefix, epoch, "ledger")]


async def wait_until_assigned(settings: Settings, groups: list[str]) -> None:
    """Return once every group has members and the broker has given out its partitions."""
    waiting = set(groups)
    while waiting:
        for group in sorted(waiting):
            if await members(settings, group):
                waiting.discard(group)
        if waiting:
            await asyncio.sleep(POLL_SECONDS)  # the broker has no way to tell us of its own accord


async def members(settings: Settings, name: str) -> int:
    """How many members a group has, 0 while it is given its partitions anew.

    The embedded broker's answer for a group that nobody has joined yet cannot be read, and ends the connection:
    it is asked through a connection of its own, and that is none.
    """
    try:
        async with admin(settings) as client:
            answers = await client.describe_consumer_groups([name])
    except (KafkaError, ValueError):
        return 0
    return sum(len(group[5]) for answer in answers for group in answer.groups if group[2] == STABLE)
