"""What `tillstream epochs list` shows."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any

from clickhouse_connect.driver.client import Client

from tillstream import ch, epochs
from tillstream.rebuilding.opened import opened
from tillstream.settings import Settings


@dataclass(frozen=True, slots=True)
class Listed:
    """An epoch. `state` is counts (the views add it up), replaced, retired, building or removed."""

    epoch: int
    state: str
    window_seconds: int
    grace_seconds: int
    max_skew_seconds: int | None
    replaces: list[int]
    sales_rows: int
    receipts: int


async def listed(settings: Settings) -> list[Listed]:
    """Every epoch in the order of its number."""
    known = await opened(settings)
    counting = {entry.epoch.epoch for entry in epochs.counting(known)}
    rows, receipts = await asyncio.to_thread(_sizes, settings)
    found = []
    for number, entry in sorted(known.items()):
        one = entry.epoch
        state = "counts" if number in counting else "replaced" if one.state == "live" else one.state
        sizes = rows.get(number, 0), receipts.get(number, 0)
        found.append(Listed(number, state, one.window, one.grace, one.max_skew, list(one.replaces), *sizes))
    return found


def _sizes(settings: Settings) -> tuple[dict[int, int], dict[int, int]]:
    with ch.connect(settings) as client:
        return _count(client, "sales_windows"), _count(client, "receipts")


def _count(client: Client, table: str) -> dict[int, int]:
    rows: Any = client.query(
        "SELECT epoch, count() FROM {table:Identifier} FINAL GROUP BY epoch", {"table": table}
    ).result_rows
    return dict(rows)
