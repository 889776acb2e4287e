"""Follow published receipts until every one of them is counted and can be read in ClickHouse."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import NamedTuple

from clickhouse_connect.driver.client import Client

from schemas.errors import Unavailable

POLL_SECONDS = 0.5
# So long without a single row more, and something is broken: a killed role is back within half of it.
STALLED_SECONDS = 60.0

_QUERY = """
SELECT (SELECT sum(messages) FROM partition_counts),
       (SELECT count() FROM receipts),
       (SELECT sum(total_rows) FROM system.tables WHERE database = currentDatabase() AND name = 'sales_windows')
"""


class Readable(NamedTuple):
    """What can be read now: receipts with a result, receipts in the ledger, rows of totals (repeats included)."""

    counted: int
    ledger: int
    rows: int


def readable(client: Client) -> Readable:
    """Ask ClickHouse."""
    counted, ledger, rows = client.query(_QUERY).result_rows[0]
    return Readable(counted, ledger, rows or 0)


async def follow(client: Client, published: asyncio.Future[int], tell: Callable[[Readable], None]) -> Readable:
    """Tell what is readable until it is everything that `published` will have counted; Unavailable if it stalls."""
    last, moved = Readable(0, 0, 0), time.monotonic()
    while True:
        now = await asyncio.to_thread(readable, client)
        if now != last or not published.done():
            last, moved = now, time.monotonic()
        tell(now)
        if published.done() and min(now.counted, now.ledger) >= published.result():
            return now
        if time.monotonic() - moved >= STALLED_SECONDS:
            raise Unavailable(
                "The stack",
                f"nothing has moved for {STALLED_SECONDS:.0f} s; {now.counted} of {published.result()} receipts are "
                f"counted and {now.ledger} are in the ledger",
            )
        await asyncio.sleep(POLL_SECONDS)
