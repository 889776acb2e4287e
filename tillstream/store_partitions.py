"""Keeps `tillstream_store_partitions` up to date: a store that arrives in two partitions is a till set up wrongly."""

from __future__ import annotations

import asyncio
import logging

from sinks import metrics
from tillstream import ch
from tillstream.settings import Settings
from tillstream.status.looks import stores_in_two_partitions

log = logging.getLogger(__name__)

EVERY_SECONDS = 60.0


async def report(settings: Settings, stop: asyncio.Event) -> None:
    """Ask ClickHouse now and then until `stop`; while it is away the last figures stand."""
    while not stop.is_set():
        try:
            found = await asyncio.to_thread(_ask, settings)
            metrics.store_partitions.clear()
            for store_id, partitions in found.items():
                metrics.store_partitions.labels(store_id).set(partitions)
        except Exception as fault:  # noqa: BLE001  # no figure is worth a sink that stops writing
            log.debug("stores in two partitions not looked for: %s", fault)
        try:
            async with asyncio.timeout(EVERY_SECONDS):
                await stop.wait()
        except TimeoutError:
            continue


def _ask(settings: Settings) -> dict[str, int]:
    with ch.connect(settings) as client:
        return {one["store_id"]: len(one["partitions"]) for one in stores_in_two_partitions(client)}
