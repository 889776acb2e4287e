"""Consumer groups of the roles: their names, and whether the broker has given them their partitions."""

from __future__ import annotations

import asyncio

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
    async with admin(settings) as client:
        while waiting:
            for answer in await client.describe_consumer_groups(sorted(waiting)):
                for group in answer.groups:
                    if group[2] == STABLE and group[5]:
                        waiting.discard(group[1])
            if waiting:
                await asyncio.sleep(POLL_SECONDS)  # the broker has no way to tell us of its own accord
