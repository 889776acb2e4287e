"""Waits until a new epoch is where the live one is: first in the log, then in ClickHouse."""

from __future__ import annotations

import asyncio

from clickhouse_connect.driver.client import Client
from rich.progress import Progress

from schemas import topics
from tillstream.reconcile import log
from tillstream.settings import Settings

POLL_SECONDS = 0.2
# Both move on all the time, each in its own steps: one look in two finds the new one level or ahead.
_LEVEL_SECONDS = 30.0


async def wait(settings: Settings, epoch: int, bar: Progress | None) -> None:
    """Return once the epoch's worker has committed the ends of the log as they are now; however long it takes."""
    ends = await log.ends_of(settings, settings.topic_prefix + topics.RECEIPTS)
    total = sum(ends.values())
    task = bar.add_task(f"counting into epoch {epoch}", total=max(1, total), rate="") if bar is not None else None
    async with log.reader(settings, topics.group_id(settings.topic_prefix, epoch)) as consumer:
        while True:
            read = sum([min(end, await consumer.committed(part) or 0) for part, end in ends.items()])
            if bar is not None and task is not None:
                bar.update(task, completed=read)
            if read >= total:
                return
            await asyncio.sleep(POLL_SECONDS)  # the broker has no way to tell us of its own accord


async def wait_for_rows(client: Client, live: int, new: int) -> None:
    """Return once ClickHouse shows as many messages of the new epoch as of the live one, or after half a minute."""
    query = (
        "SELECT count() FROM (SELECT partition, maxIf(version, epoch = {live:UInt32}) AS old,"
        " maxIf(version, epoch = {new:UInt32}) AS young FROM partition_results GROUP BY partition) WHERE old > young"
    )
    try:
        async with asyncio.timeout(_LEVEL_SECONDS):
            while True:
                behind = await asyncio.to_thread(client.query, query, {"live": live, "new": new})
                if not behind.result_rows[0][0]:
                    return
                await asyncio.sleep(POLL_SECONDS / 4)  # nor has ClickHouse
    except TimeoutError:
        return
