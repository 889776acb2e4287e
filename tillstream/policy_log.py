"""Policies in `restock.feed`: published to every partition, and read back from one.

A version holds from its moment on, by each store's own time, until one with a later moment does; of two with the same
moment the one that was applied later.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence

import msgspec

from schemas import feed
from schemas.errors import Stop
from schemas.feed import PoliciesSet, PolicySetting
from tillstream import feed_log
from tillstream.settings import Settings


def version(rules: Sequence[PolicySetting], since: int) -> PoliciesSet:
    """The rules as a version that holds from a moment on (microseconds); the same of both is the same version."""
    digest = hashlib.blake2b(msgspec.json.encode([since, *rules]), digest_size=8).hexdigest()
    return PoliciesSet(version=digest, since=since, rules=list(rules))


async def publish(settings: Settings, policies: PoliciesSet, on_wait: Callable[[str], None]) -> int:
    """Send a version to every partition, each acknowledged; gives how many. Raises as Publisher does.

    One that is cut off is finished by sending the same version again: a partition that has it takes no notice.
    """
    size = len(feed.encode(policies))
    if size > feed_log.LARGEST:
        raise Stop(
            f"{len(policies.rules):,} rules have {size:,} bytes, more than a message may have.",
            "Name categories rather than single SKUs where they have the same settings.",
        )
    return await feed_log.publish(settings, [policies], on_wait)


async def applied(
    settings: Settings, on_total: Callable[[int], None], on_read: Callable[[int], None]
) -> list[PoliciesSet]:
    """Every version that was applied, in the order of the log; raises as feed_log.read does."""
    return await feed_log.read(settings, PoliciesSet, on_total, on_read)


def in_force(versions: Sequence[PoliciesSet], now: int) -> tuple[PoliciesSet | None, list[PoliciesSet]]:
    """The version that holds at a moment, None before the first; and those to come, the next first."""
    by_moment = sorted(versions, key=lambda one: one.since)  # stable: of equal ones the later applied is last
    begun = [one for one in by_moment if one.since <= now]
    return (begun[-1] if begun else None), by_moment[len(begun) :]
