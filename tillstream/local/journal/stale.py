"""Rows of receipts that a crash took before the journal had them: removed before their offsets are used again.

They are told by their offsets, which lie at or beyond the journal's end of their partition; or by an epoch of which the
journal has no message, since its number will be given again. That holds for rows of this journal's log only, so the
database bears the journal's id, and rows of another log are refused.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Collection, Mapping

from clickhouse_connect.driver.client import Client

from schemas.errors import Stop
from schemas.topics import ALERTS, DELIVERIES, EPOCHS, FEED, RECEIPTS
from tillstream import ch
from tillstream.local.journal.order import JOURNALED
from tillstream.local.journal.recovery import Place
from tillstream.migrate import MIGRATIONS
from tillstream.settings import Settings

log = logging.getLogger(__name__)

# Each table's column that holds an offset of `pos.receipts`; `rejected` and `epochs` have rules of their own.
OFFSETS = {
    "sales_windows": "version", "store_windows": "version", "partition_results": "version",
    "late_lines": "offset", "receipts": "offset", "receipt_lines": "offset",
}  # fmt: skip
# Likewise, of the topics that restock reads and writes. `stock.positions` is not kept: a replay gives it again.
RESTOCK_OFFSETS = {"restock_alerts": (ALERTS, "offset"), "stock_positions": (FEED, "version")}
# Computed from those: all of it again, once some of their rows are gone. Its touches stay, so that each day is due.
ROLLUPS = ("rollup_hours", "rollup_days", "rollup_empty", "rollup_passes")
_OWNER = "journal"
_INSERTS_SECONDS = 60.0
_WAIT = {"mutations_sync": 2}


def drop(settings: Settings, journal: str, ends: Mapping[Place, int], epochs: Collection[int]) -> int:
    """Remove the rows at or beyond `ends`, and mark the database as this journal's; gives how many rows they were.

    Rows of other epochs than `epochs` go too.

    Raises Unavailable when ClickHouse does not answer, and Stop where the database holds rows of another log.
    """
    database = settings.clickhouse_database
    with ch.connect(settings, database="") as server, ch.answering():
        server.command("CREATE DATABASE IF NOT EXISTS {name:Identifier} ENGINE = Atomic", parameters={"name": database})
    with ch.connect(settings) as client, ch.answering():
        client.command(MIGRATIONS)
        found = client.query("SELECT name, total_rows FROM system.tables WHERE database = currentDatabase()")
        tables = {str(row[0]): row[1] for row in found.result_rows}
        owner = _owner(client)
        if owner != journal:
            if any(tables.get(name) for name in (*OFFSETS, *RESTOCK_OFFSETS)):
                raise Stop(
                    f"The ClickHouse database {database} holds rows of another log than this data folder's journal.",
                    "Name an empty database in TILLSTREAM_CLICKHOUSE_URL, or drop this one: all that the journal holds "
                    "is counted anew.",
                )
            client.insert("migrations", [[_OWNER, journal]], column_names=["name", "sha256"])
            return 0
        _until_no_insert_runs(client)
        stale = {table: which for table, which in conditions(settings, ends, epochs).items() if table in tables}
        many = {table: _count(client, table, which) for table, which in stale.items()}
        # First, since after the rows nothing tells that the roll-ups are of rows that are gone.
        sold = any(rows for table, rows in many.items() if table not in RESTOCK_OFFSETS)
        for table in ROLLUPS:
            if sold and table in tables:
                client.command(f"TRUNCATE TABLE {table}")
        for table, which in stale.items():
            if many[table]:
                client.command(f"ALTER TABLE {table} DELETE WHERE {which}", settings=_WAIT)
        return sum(many.values())


def conditions(settings: Settings, ends: Mapping[Place, int], epochs: Collection[int]) -> dict[str, str]:
    """What is stale, by table, as SQL."""
    prefix = settings.topic_prefix
    unknown = f"epoch NOT IN ({', '.join(map(str, sorted(epochs)))})" if epochs else "1"
    end = _end("partition", prefix + RECEIPTS, ends)
    found = {table: f"{column} >= {end} OR {unknown}" for table, column in OFFSETS.items()}
    for table, (topic, column) in RESTOCK_OFFSETS.items():
        found[table] = f"{column} >= {_end('partition', prefix + topic, ends)}"
    kept = [prefix + topic for topic in JOURNALED if topic != EPOCHS]
    of_kept = " OR ".join(f"(topic = {_text(topic)} AND offset >= {_end('partition', topic, ends)})" for topic in kept)
    # Topics without a journal begin anew: what was set aside of them is set aside again.
    found["rejected"] = f"topic NOT IN ({', '.join(map(_text, kept))}) OR {of_kept} OR (epoch != 0 AND {unknown})"
    # Without a bound of its own a row of before would hide what becomes of the same webhook now.
    for table in ("webhook_deliveries", "webhook_endpoints"):
        found[table] = f"offset >= {_end('partition', prefix + DELIVERIES, ends)}"
    found["epochs"] = f"version >= {ends.get((prefix + EPOCHS, 0), 0)}"
    return found


def _end(column: str, topic: str, ends: Mapping[Place, int]) -> str:
    """SQL for the journal's end of the partition that a column names."""
    known = {partition: end for (name, partition), end in ends.items() if name == topic}
    if not known:
        return "0"
    partitions, values = ",".join(map(str, known)), ",".join(map(str, known.values()))
    return f"transform(toUInt64({column}), CAST([{partitions}], 'Array(UInt64)'), CAST([{values}], 'Array(UInt64)'), 0)"


def _text(value: str) -> str:
    return f"'{value}'"  # a topic's name holds letters, digits, points, hyphens and underscores only


def _owner(client: Client) -> str:
    found = client.query(
        "SELECT sha256 FROM migrations FINAL WHERE name = {name:String}", parameters={"name": _OWNER}
    ).result_rows
    return str(found[0][0]) if found else ""


def _count(client: Client, table: str, stale: str) -> int:
    return int(client.query(f"SELECT count() FROM {table} WHERE {stale}").result_rows[0][0])


def _until_no_insert_runs(client: Client) -> None:
    """An insert goes on after the sink that sent it was killed; its rows must be there before they are judged."""
    deadline = time.monotonic() + _INSERTS_SECONDS
    running = (
        "SELECT count() FROM system.processes WHERE query_kind = 'Insert' AND current_database = currentDatabase()"
    )
    while client.query(running).result_rows[0][0]:
        if time.monotonic() > deadline:
            raise Stop(
                f"An insert into ClickHouse has been running for {_INSERTS_SECONDS:.0f} s.",
                "Stop every `tillstream sink` that writes there, then start `tillstream up` again.",
            )
        time.sleep(0.1)
