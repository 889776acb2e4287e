"""Asks Kafka and ClickHouse; one that is away leaves its part empty and is named, the rest is still told."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import Any

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError
from clickhouse_connect.driver.client import Client
from clickhouse_connect.driver.exceptions import ClickHouseError

from schemas import topics
from schemas.errors import Stop, TillstreamError
from tillstream import ch, consumer_lag, epochs, topic_admin
from tillstream.settings import Settings
from tillstream.status import looks
from tillstream.status.counted_twice import LONGEST_SECONDS, counted_twice
from tillstream.status.endpoints import endpoints
from tillstream.waiting import admin, brief, ch_where

RESULTS = ("folded", "duplicate", "late", "rejected", "ignored")
TOPICS = (
    topics.RECEIPTS, topics.STOCK, topics.WINDOWS, topics.FEED, topics.ALERTS, topics.POSITIONS, topics.LATE,
    topics.REJECTED, topics.EPOCHS,
)  # fmt: skip
# One that takes connections and never answers is away too.
PATIENCE = 20.0


@dataclass(slots=True)
class Status:
    """What is known. `away` maps what does not answer, or is not as it must be, to a sentence; empty: all is well."""

    away: dict[str, str] = field(default_factory=dict)
    kafka: dict[str, Any] = field(default_factory=dict)
    clickhouse: dict[str, Any] = field(default_factory=dict)
    epoch: dict[str, Any] | None = None
    topics: list[dict[str, Any]] = field(default_factory=list)
    lag: list[dict[str, Any]] = field(default_factory=list)
    counts: dict[str, int] = field(default_factory=dict)
    freshness: dict[str, Any] = field(default_factory=dict)
    rejected: dict[str, Any] = field(default_factory=dict)
    stores_in_two_partitions: list[dict[str, Any]] = field(default_factory=list)
    counted_twice: dict[str, Any] = field(default_factory=dict)
    webhooks: list[dict[str, Any]] = field(default_factory=list)


async def gather(settings: Settings) -> Status:
    """Ask everyone, once."""
    status = Status()
    try:
        async with asyncio.timeout(PATIENCE):
            await _ask_kafka(settings, status)
    except (KafkaError, TillstreamError, OSError, KeyError) as fault:
        status.away["kafka"] = brief(fault)
    try:
        await asyncio.to_thread(_ask_clickhouse, settings, status)
    except (ClickHouseError, TillstreamError, OSError) as fault:
        status.away["clickhouse"] = brief(fault)
    return status


async def _ask_kafka(settings: Settings, status: Status) -> None:
    prefix = settings.topic_prefix
    async with admin(settings) as client:
        brokers = (await client.describe_cluster())["brokers"]
        status.kafka = {"servers": settings.kafka_servers, "brokers": len(brokers)}
        there = set(await client.list_topics())
        counts = await topic_admin.partition_counts(
            client, [prefix + name for name in TOPICS if prefix + name in there]
        )
        await _check_topics(client, settings, status)
    if not counts:
        return
    ends = await consumer_lag.end_offsets(settings, counts)
    for name, partitions in counts.items():
        end = sum(offset for part, offset in ends.items() if part.topic == name)
        status.topics.append({"topic": name, "partitions": partitions, "end": end})
    if prefix + topics.EPOCHS not in there:
        return
    known = epochs.newest_live(await epochs.read_all(settings))
    if known is None:
        status.away["epoch"] = "there is no live epoch: run `tillstream migrate`"
        return
    epoch = known.epoch
    status.epoch = {"epoch": epoch.epoch, "window_seconds": epoch.window, "grace_seconds": epoch.grace}
    try:
        epochs.check(epoch, settings)
    except Stop as stop:
        status.away["settings"] = str(stop)
    if len(counts) == len(TOPICS):
        status.lag = _by_topic(await consumer_lag.measure(settings, epoch.epoch))


async def _check_topics(client: AIOKafkaAdminClient, settings: Settings, status: Status) -> None:
    try:
        await topic_admin.check_partitions(client, topic_admin.wanted(settings, None))
    except Stop as stop:
        status.away["topics"] = str(stop)


def _by_topic(lags: list[consumer_lag.Lag]) -> list[dict[str, Any]]:
    found: dict[tuple[str, str], dict[str, Any]] = {}
    for lag in lags:
        told = found.setdefault(
            (lag.role, lag.topic),
            {"role": lag.role, "group": lag.group, "topic": lag.topic, "records": 0, "partitions_behind": 0},
        )
        told["records"] += lag.records
        told["partitions_behind"] += lag.records > 0
    return list(found.values())


def _ask_clickhouse(settings: Settings, status: Status) -> None:
    with ch.connect(settings, patience=PATIENCE + LONGEST_SECONDS) as client:
        status.clickhouse = {"at": ch_where(settings), "version": client.command("SELECT version()")}
        if not client.query("SELECT count() FROM system.tables WHERE database = currentDatabase()").result_rows[0][0]:
            status.away["tables"] = f"{settings.clickhouse_database} is empty: run `tillstream migrate`"
            return
        status.counts = _counts(client)
        status.freshness = looks.freshness(client)
        status.rejected = looks.rejected(client)
        status.stores_in_two_partitions = looks.stores_in_two_partitions(client)
        widths = looks.live_epoch(client)
        if widths is not None:
            status.counted_twice = counted_twice(client, *widths)._asdict()
        status.webhooks = endpoints(client, [one.known_as for one in settings.webhooks])


def _counts(client: Client) -> dict[str, int]:
    rows = client.query(
        "SELECT result, sum(messages) FROM partition_counts"
        " WHERE epoch IN (SELECT epoch FROM live_epochs) GROUP BY result"
    ).result_rows
    return dict.fromkeys(RESULTS, 0) | {result: int(messages) for result, messages in rows}
