"""Make Kafka and ClickHouse ready: topics, the live epoch, database, tables, views. A second run changes nothing."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from importlib import resources

from clickhouse_connect.driver.client import Client
from clickhouse_connect.driver.exceptions import DatabaseError

from schemas.epoch import Epoch
from schemas.errors import Stop
from schemas.topics import EPOCHS, RECEIPTS
from tillstream import ch, epochs, topic_admin
from tillstream.epochs import KnownEpoch
from tillstream.partitions_added import add_partitions
from tillstream.settings import Settings
from tillstream.topic_admin import TopicReport
from tillstream.waiting import ONE_SHOT_LIMIT, admin, wait_for_clickhouse, wait_for_kafka

VIEW = "CREATE OR REPLACE VIEW"
MIGRATIONS = """
CREATE TABLE IF NOT EXISTS migrations
(
    name       String,
    sha256     String,
    applied_at DateTime64(3, 'UTC') DEFAULT now64(3)
)
ENGINE = ReplacingMergeTree(applied_at)
ORDER BY name
"""


@dataclass(slots=True)
class MigrationReport:
    """What `migrate` did and found; the epoch is the live one's number."""

    topics_created: list[str] = field(default_factory=list)
    topics_found: list[str] = field(default_factory=list)
    topics_grown: list[str] = field(default_factory=list)
    database_created: bool = False
    applied: list[str] = field(default_factory=list)
    unchanged: list[str] = field(default_factory=list)
    epoch: int = 0
    epoch_created: bool = False
    broker_stamps: bool = True
    notes: list[str] = field(default_factory=list)


async def migrate(
    settings: Settings, limit: float | None = ONE_SHOT_LIMIT, *, more_partitions: bool = False
) -> MigrationReport:
    """Bring topics and ClickHouse objects to what this version needs; waits up to `limit` seconds for both.

    With `more_partitions` topics that have fewer than the settings say grow.

    Raises Unavailable when one does not answer, Stop when something is there that must not be changed silently.
    """
    await wait_for_kafka(settings, limit)
    await wait_for_clickhouse(settings, limit)
    report = MigrationReport()
    async with admin(settings) as client:
        if more_partitions:
            report.topics_grown = await add_partitions(client, settings)
        _note(report, await topic_admin.create_missing(client, topic_admin.wanted(settings, None)))
    known = await epochs.read_all(settings)
    entry = epochs.live(known, settings)
    if entry is None:
        await asyncio.to_thread(_refuse_rows_of_another_log, settings)
        entry = await epochs.write(settings, epochs.first(settings))
        known[entry.epoch.epoch] = entry
        report.epoch_created = True
    report.epoch = entry.epoch.epoch
    async with admin(settings) as client:
        _note(report, await topic_admin.create_missing(client, [topic_admin.changelog(settings, report.epoch)]))
    report.broker_stamps = entry.stamped_by_broker
    if not entry.stamped_by_broker:
        report.notes.append(
            f"This broker keeps the producer's timestamps (it does not honour LogAppendTime), so "
            f"TILLSTREAM_MAX_SKEW judges receipts in {settings.topic_prefix}{RECEIPTS} against the clock of who sent "
            f"them."
        )
    await asyncio.to_thread(migrate_clickhouse, settings, list(known.values()), report)
    return report


def _note(report: MigrationReport, topics: TopicReport) -> None:
    report.topics_created += topics.created
    report.topics_found += topics.found
    report.notes += topics.notes


async def check_migrated(settings: Settings) -> Epoch:
    """The live epoch; Stop, naming `tillstream migrate`, where topics or epoch are not as they must be."""
    async with admin(settings) as client:
        await topic_admin.check_partitions(client, topic_admin.wanted(settings, None))
    entry = epochs.live(await epochs.read_all(settings), settings)
    if entry is None:
        raise Stop(f"{settings.topic_prefix}{EPOCHS} names no live epoch.", "Run `tillstream migrate`.")
    async with admin(settings) as client:
        await topic_admin.check_partitions(client, [topic_admin.changelog(settings, entry.epoch.epoch)])
    return entry.epoch


def migrate_clickhouse(settings: Settings, known: list[KnownEpoch], report: MigrationReport) -> None:
    """Create database, tables and views, and copy the epochs; adds what it did to `report`."""
    with ch.connect(settings, database="") as server:
        there = server.query(
            "SELECT count() FROM system.databases WHERE name = {name:String}",
            parameters={"name": settings.clickhouse_database},
        )
        if not there.result_rows[0][0]:
            server.command(
                "CREATE DATABASE IF NOT EXISTS {name:Identifier} ENGINE = Atomic",
                parameters={"name": settings.clickhouse_database},
            )
            report.database_created = True
    with ch.connect(settings) as client:
        client.command(MIGRATIONS)
        _apply_files(client, report)
        _keep_lines(client, settings.keep_lines)
        epochs.copy(client, known)  # what the views add up must be there before a sink runs


def _refuse_rows_of_another_log(settings: Settings) -> None:
    """A log without an epoch is new; rows that are there name offsets of another one and would be mixed up with it."""
    with ch.connect(settings, database="") as server:
        found = server.query(
            "SELECT sum(total_rows) FROM system.tables WHERE database = {name:String} "
            "AND name IN ('sales_windows', 'store_windows', 'receipts', 'late_lines', 'restock_alerts',"
            " 'stock_positions')",
            parameters={"name": settings.clickhouse_database},
        )
    if found.result_rows[0][0]:
        raise Stop(
            f"This Kafka is new, but the ClickHouse database {settings.clickhouse_database} holds rows of another log.",
            "Name an empty database in TILLSTREAM_CLICKHOUSE_URL, or drop this one: both keep their offsets together.",
        )


def files() -> Iterator[tuple[str, str]]:
    """Name and text of each packaged SQL file, in the order in which they apply."""
    folder = resources.files("schemas").joinpath("clickhouse")
    for file in sorted(folder.iterdir(), key=lambda entry: entry.name):
        if file.name.endswith(".sql"):
            yield file.name, file.read_text("utf-8")


def statements(text: str) -> list[str]:
    """The statements of a SQL file: comment lines dropped, cut at lines that end in a semicolon."""
    code = "\n".join(line for line in text.splitlines() if not line.lstrip().startswith("--"))
    return [part for part in (piece.strip().rstrip(";") for piece in code.split(";\n")) if part]


def only_views(parts: list[str]) -> bool:
    """Whether a file holds views alone, which can be made anew at any time."""
    return all(part.upper().startswith(VIEW) for part in parts)


def _apply_files(client: Client, report: MigrationReport) -> None:
    recorded = {row[0]: row[1] for row in client.query("SELECT name, sha256 FROM migrations FINAL").result_rows}
    for name, text in files():
        digest = hashlib.sha256(text.encode()).hexdigest()
        parts = statements(text)
        if recorded.get(name) == digest:
            report.unchanged.append(name)
            continue
        if name in recorded and not only_views(parts):
            raise Stop(
                f"{name} was changed after it had been applied to this database.",
                "Restore the file and put the change into a new one with the next number.",
            )
        for part in parts:
            try:
                client.command(part)
            except DatabaseError as fault:
                raise Stop(f"{name}: {str(fault).splitlines()[0][:300]}") from None
        client.insert("migrations", [[name, digest]], column_names=["name", "sha256"])
        report.applied.append(name)


def _keep_lines(client: Client, keep: timedelta) -> None:
    """Set how long `receipt_lines` live. 0 writes none, and leaves those that are there to the time they had."""
    engine = client.query(
        "SELECT engine_full FROM system.tables WHERE database = currentDatabase() AND name = 'receipt_lines'"
    ).result_rows[0][0]
    seconds = keep // timedelta(seconds=1)
    if seconds > 0:
        if f"toIntervalSecond({seconds})" not in engine:
            client.command(f"ALTER TABLE receipt_lines MODIFY TTL written_at + toIntervalSecond({seconds})")
    elif seconds < 0 and " TTL " in engine:
        client.command("ALTER TABLE receipt_lines REMOVE TTL")
