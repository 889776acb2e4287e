"""Asks Kafka and ClickHouse; one that is away leaves its part empty and is named, the rest is still told."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import Any

from aiokafka.errors import KafkaError
from clickhouse_connect.driver.client import Client
from clickhouse_connect.driver.exceptions import ClickHouseError

from schemas import topics
from schemas.errors import TillstreamError
from tillstream import ch, consumer_lag, epochs
from tillstream.settings import Settings
from tillstream.status import looks
from tillstream.waiting import admin, ch_where

RESULTS = ("folded", "duplicate", "late", "rejected", "ignored")
TOPICS = (topics.RECEIPTS, topics.STOCK, topics.WINDOWS, topics.LATE, topics.REJECTED, topics.EPOCHS)


@dataclass(slots=True)
class Status:
    """What is known. `away` maps a neighbour to why it does not answer; empty means all is well."""

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
    counted_twice: list[dict[str, Any]] = field(default_factory=list)


async def gather(settings: Settings) -> Status:
    """Ask everyone, once."""
    status = Status()
    try:
        await _ask_kafka(settings, status)
    except (KafkaError, TillstreamError, OSError, KeyError) as fault:
        status.away["kafka"] = _brief(fault)
    try:
        await asyncio.to_thread(_ask_clickhouse, settings, status)
    except (ClickHouseError, TillstreamError, OSError) as fault:
        status.away["clickhouse"] = _brief(fault)
    return status


async def _ask_kafka(settings: Settings, status: Status) -> None:
    async with admin(settings) as client:
        there = set(await client.list_topics())
        brokers = (await client.describe_cluster())["brokers"]
    status.kafka = {"servers": settings.kafka_servers, "brokers": len(brokers)}
    missing = [name for name in TOPICS if settings.topic_prefix + name not in there]
    if missing:
        status.away["topics"] = f"{', '.join(missing)} do not exist: run `tillstream migrate`"
        return
    for name in TOPICS:
        ends = await consumer_lag.end_offsets(settings, [name])
        status.topics.append(
            {"topic": settings.topic_prefix + name, "partitions": len(ends), "end": sum(ends.values())}
        )
    live = epochs.live(await epochs.read_all(settings), settings)
    if live is None:
        status.away["epoch"] = "there is no live epoch: run `tillstream migrate`"
        return
    epoch = live.epoch
    status.epoch = {"epoch": epoch.epoch, "window_seconds": epoch.window, "grace_seconds": epoch.grace}
    lags = await consumer_lag.measure(settings, epoch.epoch)
    for role, names in consumer_lag.READ.items():
        for name in names:
            of_topic = [lag for lag in lags if lag.role == role and lag.topic == settings.topic_prefix + name]
            status.lag.append(
                {
                    "role": role,
                    "group": of_topic[0].group,
                    "topic": of_topic[0].topic,
                    "records": sum(lag.records for lag in of_topic),
                    "partitions_behind": sum(lag.records > 0 for lag in of_topic),
                }
            )


def _ask_clickhouse(settings: Settings, status: Status) -> None:
    with ch.connect(settings) as client:
        status.clickhouse = {"at": ch_where(settings), "version": client.command("SELECT version()")}
        if not client.query("SELECT count() FROM system.tables WHERE database = currentDatabase()").result_rows[0][0]:
            status.away["tables"] = f"{settings.clickhouse_database} is empty: run `tillstream migrate`"
            return
        epoch = status.epoch or {}
        status.counts = _counts(client)
        status.freshness = looks.freshness(client)
        status.rejected = looks.rejected(client)
        status.stores_in_two_partitions = looks.stores_in_two_partitions(client)
        if epoch:
            status.counted_twice = looks.counted_twice(client, epoch["window_seconds"], epoch["grace_seconds"])


def _counts(client: Client) -> dict[str, int]:
    rows = client.query(
        "SELECT result, sum(messages) FROM partition_counts"
        " WHERE epoch IN (SELECT epoch FROM live_epochs) GROUP BY result"
    ).result_rows
    return dict.fromkeys(RESULTS, 0) | {result: int(messages) for result, messages in rows}


def _brief(fault: Exception) -> str:
    return (str(fault).splitlines() or [type(fault).__name__])[0][:200]
