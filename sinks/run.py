"""The two groups of the sink role: rows and dead letters, and the ledger straight from the receipts."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from schemas import topics
from sinks import alerts, deliveries, epochs, late, ledger, positions, rejected, sales
from sinks.loop import run_sink
from sinks.store import ClickHouseStore


async def run_clickhouse_sink(
    kafka_options: dict[str, Any],
    make_client: Callable[[], Any],
    prefix: str,
    stop: asyncio.Event,
    on_ready: Callable[[], None] = lambda: None,
) -> None:
    """Write what worker and restock derive, of all epochs, the epochs, and what became of webhooks, until `stop`.

    Raises Stop.
    """
    prepare = {
        prefix + topics.WINDOWS: sales.prepare,
        prefix + topics.LATE: late.prepare,
        prefix + topics.REJECTED: rejected.prepare,
        prefix + topics.EPOCHS: epochs.prepare,
        prefix + topics.ALERTS: alerts.prepare,
        prefix + topics.POSITIONS: positions.prepare,
        prefix + topics.DELIVERIES: deliveries.prepare,
    }
    store = ClickHouseStore("clickhouse", make_client)
    await run_sink("clickhouse", kafka_options, topics.rows_group(prefix), prepare, store, stop, on_ready)


async def run_ledger_sink(
    kafka_options: dict[str, Any],
    make_client: Callable[[], Any],
    prefix: str,
    epoch: int,
    max_skew_us: int,
    stop: asyncio.Event,
    *,
    keep_lines: bool,
    on_ready: Callable[[], None] = lambda: None,
) -> None:
    """Write pos.receipts into the ledger until `stop`. Raises Stop."""
    prepare = {prefix + topics.RECEIPTS: ledger.make_prepare(epoch, max_skew_us, keep_lines=keep_lines)}
    store = ClickHouseStore("ledger", make_client)
    await run_sink("ledger", kafka_options, topics.group_id(prefix, epoch, "ledger"), prepare, store, stop, on_ready)
