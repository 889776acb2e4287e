"""A synthetic chain in ClickHouse: the rows that a sink would have written, made in SQL, the same each time.

500 stores are open for 14 hours a day, in 168 windows of 5 minutes, busiest around three in the afternoon; 30,000 SKUs
sell by Zipf's law. Of the last day a part was written twice, an older version after the newer one; one row in 10,000
is a late line that counts.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

import psutil
from clickhouse_connect.driver.client import Client

from tillstream import ch, migrate
from tillstream.local.launch import EmbeddedClickHouse, free_port
from tillstream.rollups.passes import roll_up
from tillstream.settings import Settings
from tillstream.waiting import wait_for_clickhouse

STORES, SKUS, WINDOWS = 500, 30_000, 168
FIRST_DAY = date(2026, 8, 1)
FIRST_SKU = 7_038_010_000_000
PARTITIONS = 8
OPENS_AT = "08:00:00"
START_SECONDS = 120
# The curve of a day is 0.6 at both ends and 1.4 at its top: divided by its mean a row stays a row.
_CURVE = f"(0.6 + 0.8 * sin(w * pi() / {WINDOWS})) / 1.11"
_OFFSETS_A_WINDOW = 100


def last_day(days: int) -> date:
    """What the queries take for today."""
    return FIRST_DAY + timedelta(days=days - 1)


@dataclass(frozen=True, slots=True)
class Chain:
    """A client of a ClickHouse, and the process that it asks."""

    client: Client
    process: psutil.Process

    def cpu_seconds(self) -> float:
        """What the server has used so far."""
        times = self.process.cpu_times()
        return float(times.user + times.system)


@contextmanager
def served(folder: Path) -> Iterator[Chain]:
    """The embedded ClickHouse over a folder, migrated; it ends with the block."""
    folder.mkdir(parents=True, exist_ok=True)
    server = EmbeddedClickHouse("127.0.0.1", free_port(), folder / "data", folder / "clickhouse.log")
    server.start()
    logging.getLogger("clickhouse_connect").setLevel(logging.CRITICAL)  # that it does not serve yet is no news
    try:
        settings = Settings(clickhouse_url=f"http://127.0.0.1:{server.port}/tillstream", data_dir=folder / "tillstream")
        asyncio.run(wait_for_clickhouse(settings, START_SECONDS))
        migrate.migrate_clickhouse(settings, [], migrate.MigrationReport())
        with ch.connect(settings) as client:
            yield Chain(client, psutil.Process(server.process.pid))
    finally:
        server.stop()


def make(client: Client, rows: int, days: int, advance: Callable[[int], object]) -> None:
    """Fill empty tables with about so many rows; `advance` is told of each day."""
    client.command(
        "INSERT INTO epochs (epoch, state, window_seconds, grace_seconds, version) SELECT 1, 'live', 300, 345600, 0"
    )
    stores = max(1, min(STORES, rows // (days * WINDOWS)))
    for day in range(days):
        client.command(_sales(rows / (days * WINDOWS * stores), stores, day, "1"))
        client.command(_receipts_by_window(stores, day))
        advance(day)
    last = days - 1
    client.command(_sales(rows / (days * WINDOWS * stores), stores, last, "store % 10 = 3", older=1))
    _late(client, max(1, rows // 10_000), days)
    client.command(
        "INSERT INTO products (sku, name, department, category)"
        f" SELECT toString({FIRST_SKU} + number), 'product ' || toString(number), 'department', 'category'"
        f" FROM numbers({SKUS})"
    )
    # As the sinks say it: these days have rows.
    client.command(
        "INSERT INTO rollup_touches SELECT epoch, toDate(window_start) AS day, 1, 1 FROM sales_windows"
        " GROUP BY epoch, day"
    )


def rolled_up(client: Client) -> float:
    """Compute the roll-ups that are due; gives the seconds."""
    return roll_up(client).seconds


def last_day_again(client: Client, days: int) -> float:
    """As if rows had come for the last day, as they do all the time while it sells."""
    client.command(
        "INSERT INTO rollup_touches SELECT epoch, day, sink, touches + 1 FROM rollup_touches FINAL"
        f" WHERE day = '{last_day(days)}'"
    )
    return rolled_up(client)


def _sales(per: float, stores: int, day: int, where: str, older: int = 0) -> str:
    """One day's rows. Those of a store's window draw from neighbouring parts of the law, so that few are equal."""
    return f"""
        INSERT INTO sales_windows
        SELECT toString(store) AS store_id, toString({FIRST_SKU} + least({SKUS - 1}, toUInt64(
                   exp((k + cityHash64(number, {day}, k) / 18446744073709551616.) / n * log({SKUS} + 1)) - 1))) AS sku,
               'NOK' AS currency,
               toDateTime('{FIRST_DAY} {OPENS_AT}', 'UTC') + toIntervalDay({day}) + toIntervalMinute(5 * w)
                   AS window_start,
               toDate(window_start) AS business_date, store % {PARTITIONS} AS partition, 1 AS epoch,
               ({day} * {WINDOWS} + w) * {_OFFSETS_A_WINDOW} + k + 1 - {older} AS version,
               toDecimal64(1 + cityHash64(number, {day}, k, 1) % 3 - {older}, 5) AS units,
               toDecimal64(cityHash64(number, {day}, k, 2) % 200 = 0, 5) AS returned,
               toDecimal64(units * (5 + cityHash64(sku) % 400) - 0.1, 4) AS revenue,
               toDecimal64(if(cityHash64(number, {day}, k, 3) % 8 = 0, 5, 0), 4) AS discount,
               toDecimal64(revenue / 5, 4) AS tax, toInt64(units) AS receipts
        FROM
        (
            SELECT number, intDiv(number, {WINDOWS}) AS store, number % {WINDOWS} AS w,
                   toUInt64(greatest(1, round({per} * {_CURVE} + cityHash64(number, {day}) % 3 - 1))) AS n
            FROM numbers({stores * WINDOWS}) WHERE {where}
        )
        ARRAY JOIN range(n) AS k
    """


def _receipts_by_window(stores: int, day: int) -> str:
    return f"""
        INSERT INTO store_windows
        SELECT toString(intDiv(number, {WINDOWS})) AS store_id,
               toDateTime('{FIRST_DAY} {OPENS_AT}', 'UTC') + toIntervalDay({day})
                   + toIntervalMinute(5 * (number % {WINDOWS})) AS window_start,
               intDiv(number, {WINDOWS}) % {PARTITIONS} AS partition, 1 AS epoch,
               ({day} * {WINDOWS} + number % {WINDOWS}) * {_OFFSETS_A_WINDOW} + 1 AS version,
               1 + cityHash64(number, {day}, 4) % 4 AS receipts
        FROM numbers({stores * WINDOWS})
    """


def _late(client: Client, many: int, days: int) -> None:
    """Receipts of one line each that came after grace, and the ledger's knowledge of them."""
    times = f"toDateTime('{FIRST_DAY} {OPENS_AT}', 'UTC') + toIntervalMinute(5 * (cityHash64(number) % {WINDOWS}))"
    common = (
        f"1 AS epoch, number % {PARTITIONS} AS partition, 1000000000 + number AS offset,"
        f" toString(cityHash64(number, 5) % {STORES}) AS store_id, 'late-' || toString(number) AS transaction_id,"
        f" {times} + toIntervalDay(cityHash64(number, 6) % {days}) AS occurred_at, toDate(occurred_at) AS business_date"
    )
    client.command(
        "INSERT INTO late_lines (epoch, partition, offset, store_id, transaction_id, occurred_at, business_date,"
        " window_start, position, currency, sku, units, revenue, receipts, store_receipts)"
        f" SELECT {common}, toDateTime(occurred_at, 'UTC'), 1, 'NOK',"
        f" toString({FIRST_SKU} + cityHash64(number, 7) % {SKUS}), 1, 10, 1, 1 FROM numbers({many})"
    )
    client.command(
        "INSERT INTO receipts (epoch, partition, offset, store_id, transaction_id, occurred_at, business_date, type,"
        f" currency, lines, amount, published_at) SELECT {common}, 'sale', 'NOK', 1, 10, occurred_at"
        f" FROM numbers({many})"
    )
