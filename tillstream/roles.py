"""The composition root of the roles: from the settings to what `streams` and `sinks` take."""

from __future__ import annotations

import asyncio
from datetime import timedelta

from clickhouse_connect.driver.client import Client

from schemas.errors import Stop
from sinks.run import run_clickhouse_sink, run_ledger_sink
from streams.app import WorkerConfig
from streams.app import run_worker as fold
from tillstream import ch, consumer_lag, kafka, store_partitions
from tillstream.local.lock import own_part
from tillstream.settings import Settings


async def run_worker(settings: Settings, epoch: int, stop: asyncio.Event) -> None:
    """Fold receipts until `stop` is set; raises Stop."""
    folder = own_part(settings.data_dir, "worker")
    try:
        await fold(worker_config(settings, epoch), stop)
    finally:
        folder.release()


async def run_sink(settings: Settings, epoch: int, stop: asyncio.Event) -> None:
    """Write into ClickHouse until `stop` is set: rows and dead letters, and the ledger; raises Stop."""
    options = kafka.client_options(settings)
    prefix = settings.topic_prefix

    def connect() -> Client:
        return ch.connect(settings)

    keep_lines = settings.keep_lines > timedelta(0)
    try:
        async with asyncio.TaskGroup() as group:
            group.create_task(run_clickhouse_sink(options, connect, prefix, epoch, stop))
            group.create_task(consumer_lag.report(settings, epoch, stop))
            group.create_task(store_partitions.report(settings, stop))
            group.create_task(
                run_ledger_sink(options, connect, prefix, epoch, settings.max_skew_us, stop, keep_lines=keep_lines)
            )
    except* Stop as stops:
        raise stops.exceptions[0] from None


def worker_config(settings: Settings, epoch: int) -> WorkerConfig:
    """The worker's part of the settings."""
    sasl = None
    if settings.kafka_security.startswith("SASL_"):
        password = settings.kafka_sasl_password.get_secret_value()
        sasl = (settings.kafka_sasl_mechanism, settings.kafka_sasl_username, password)
    return WorkerConfig(
        kafka_url=",".join(f"kafka://{server}" for server in settings.kafka_servers),
        prefix=settings.topic_prefix,
        epoch=epoch,
        partitions=settings.partitions,
        window_us=settings.window_us,
        grace_us=settings.grace_us,
        max_skew_us=settings.max_skew_us,
        ssl_context=kafka.ssl_context(settings),
        sasl=sasl,
    )
