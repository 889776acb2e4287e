"""Removes what an epoch has left: its rows, its changelog. Its consumer groups expire on the broker by themselves."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

import msgspec

from schemas import topics
from tillstream import ch, epochs
from tillstream.rebuilding import plan
from tillstream.rebuilding.opened import opened
from tillstream.settings import Settings
from tillstream.waiting import admin

TABLES = ("sales_windows", "store_windows", "partition_results", "late_lines", "rejected", "receipts", "receipt_lines")
# First of them what says that there is something to compute.
ROLLUPS = ("rollup_touches", "rollup_hours", "rollup_days", "rollup_empty")


@dataclass(slots=True)
class Removed:
    """What went: rows by table, and the name of the changelog."""

    epoch: int
    rows: dict[str, int] = field(default_factory=dict)
    changelog: str = ""


async def remove(settings: Settings, number: int) -> Removed:
    """Remove an epoch that does not count; raises Stop where it does.

    Whoever still works for it does no harm to figures: rows that he writes afterwards are seen by nobody, and stay.
    """
    known = await opened(settings)
    epoch = plan.removable(known, number)
    done = Removed(number, changelog=topics.changelog_topic(settings.topic_prefix, number))
    done.rows = await asyncio.to_thread(_remove_rows, settings, number)
    async with admin(settings) as client:
        if done.changelog in await client.list_topics():
            await client.delete_topics([done.changelog])
    await epochs.write(settings, msgspec.structs.replace(epoch, state="removed"))
    return done


def _remove_rows(settings: Settings, number: int) -> dict[str, int]:
    rows = {}
    with ch.connect(settings) as client:
        for table in (*TABLES, *ROLLUPS):
            parameters = {"table": table, "epoch": number}
            query = "SELECT count() FROM {table:Identifier} WHERE epoch = {epoch:UInt32}"
            rows[table] = int(client.query(query, parameters).result_rows[0][0])
            if rows[table]:
                # A mutation, so that the disk has the space back; 2: done on every replica before we go on.
                client.command(
                    "ALTER TABLE {table:Identifier} DELETE WHERE epoch = {epoch:UInt32}",
                    parameters=parameters,
                    settings={"mutations_sync": 2},
                )
    return rows
