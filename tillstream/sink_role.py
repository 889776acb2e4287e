"""The composition root of the sink: from the settings to what `sinks` takes. A worker imports none of it."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from datetime import timedelta
from functools import partial
from typing import Any

from schemas.epoch import Epoch
from schemas.errors import Again, Stop
from sinks.run import run_clickhouse_sink, run_ledger_sink
from sinks.webhooks.run import run_webhook_sender
from tillstream import ch, consumer_lag, kafka, store_partitions
from tillstream.follow import follow
from tillstream.rollups.keep import keep as keep_rollups
from tillstream.settings import Settings
from tillstream.webhooks.config import sender_config


async def run_sink(settings: Settings, epoch: Epoch, stop: asyncio.Event, *, only: bool = False) -> None:
    """Write into ClickHouse until `stop` is set: rows, dead letters, roll-ups of all epochs, the ledger of one.

    Where endpoints are configured, webhooks are sent too, whether ClickHouse answers or not.

    Raises Stop.

    With `only`, the ledger stays with this epoch, whatever becomes of it.
    """
    connect = partial(ch.connect, settings)
    webhooks = [run_webhook_sender(sender_config(settings), stop)] if settings.webhooks else []
    await _together(
        run_clickhouse_sink(kafka.client_options(settings), connect, settings.topic_prefix, stop),
        store_partitions.report(settings, stop),
        keep_rollups(settings, stop),
        *webhooks,
        _keep_ledger(settings, epoch, stop) if only else follow(settings, epoch, _keep_ledger, stop),
    )


async def _keep_ledger(settings: Settings, epoch: Epoch, stop: asyncio.Event) -> None:
    await _together(
        consumer_lag.report(settings, epoch.epoch, stop),
        run_ledger_sink(
            kafka.client_options(settings),
            partial(ch.connect, settings),
            settings.topic_prefix,
            epoch.epoch,
            settings.max_skew_us,
            stop,
            keep_lines=settings.keep_lines > timedelta(0),
        ),
    )


async def _together(*parts: Coroutine[Any, Any, None]) -> None:
    """Run all of them; the first Stop or Again ends the others and is raised by itself."""
    try:
        async with asyncio.TaskGroup() as group:
            for part in parts:
                group.create_task(_unless_cancelled(part))
    except* (Stop, Again) as faults:
        raise faults.exceptions[0] from None


async def _unless_cancelled(part: Coroutine[Any, Any, None]) -> None:
    """Run a part; a cancellation that came up from a library is a fault, which a group of tasks would pass over."""
    try:
        await part
    except asyncio.CancelledError:
        task = asyncio.current_task()
        if task is None or task.cancelling():
            raise
        raise Again("A library cancelled a part of what runs here.") from None
