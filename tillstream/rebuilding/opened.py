"""What every command on epochs begins with: both neighbours answer, and the epochs are known."""

from __future__ import annotations

from tillstream import epochs, topic_admin
from tillstream.epochs import KnownEpoch
from tillstream.settings import Settings
from tillstream.waiting import admin, wait_for_clickhouse, wait_for_kafka


async def opened(settings: Settings, *, partitions: bool = False) -> dict[int, KnownEpoch]:
    """Every epoch by its number; raises Unavailable, or with `partitions` Stop where a topic's count is another."""
    await wait_for_kafka(settings)
    await wait_for_clickhouse(settings)
    if partitions:
        async with admin(settings) as client:
            await topic_admin.check_partitions(client, topic_admin.wanted(settings, None))
    return await epochs.read_all(settings)
