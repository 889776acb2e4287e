"""Keeps `tillstream_store_partitions` up to date: a store that arrives in two partitions is a till set up wrongly."""

from __future__ import annotations

import asyncio

from sinks import metrics
from tillstream import ch
from tillstream.now_and_then import now_and_then
from tillstream.settings import Settings
from tillstream.status.looks import stores_in_two_partitions

EVERY_SECONDS = 60.0
PATIENCE = 5.0


async def report(settings: Settings, stop: asyncio.Event) -> None:
    """Ask ClickHouse now and then until `stop`; while it is away the last figures stand."""
    told: set[str] = set()

    async def once() -> None:
        found = await asyncio.to_thread(_ask, settings)
        # A series cannot be taken back where several processes share one address: what was mended is in one again.
        for store_id in told - found.keys():
            metrics.store_partitions.labels(store_id).set(1)
        for store_id, partitions in found.items():
            metrics.store_partitions.labels(store_id).set(partitions)
        told.update(found)

    await now_and_then(once, EVERY_SECONDS, stop)


def _ask(settings: Settings) -> dict[str, int]:
    # A thread cannot be interrupted, so that it must not wait long.
    with ch.connect(settings, patience=PATIENCE) as client:
        return {one["store_id"]: len(one["partitions"]) for one in stores_in_two_partitions(client)}
