"""What ClickHouse tells about the state of things: freshness, dead letters, stores and receipts to look into."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from clickhouse_connect.driver.client import Client

SHOWN = 20
# As many stores as there may be series of a metric: more of them is a till software, not a till.
MOST_STORES = 100
LIVE = "epoch IN (SELECT epoch FROM live_epochs)"


def freshness(client: Client) -> dict[str, Any]:
    """The newest window with sales, the ledger's newest receipt, until when roll-ups hold all; None: none yet."""
    windows, newest_window = client.query(
        f"SELECT count(), max(window_start) FROM store_windows WHERE {LIVE}"
    ).result_rows[0]
    receipts, occurred, published = client.query(
        f"SELECT count(), max(occurred_at), max(published_at) FROM receipts WHERE {LIVE}"
    ).result_rows[0]
    passes, as_of = client.query("SELECT count(), max(as_of) FROM rollup_passes").result_rows[0]
    return {
        "newest_window": _utc(newest_window) if windows else None,
        "newest_receipt_occurred_at": _utc(occurred) if receipts else None,
        "newest_receipt_published_at": _utc(published) if receipts else None,
        "rollups_as_of": _utc(as_of) if passes else None,
    }


def rejected(client: Client) -> dict[str, Any]:
    """How many dead letters there are, how many of them were set aside by a sink, and the latest one's time."""
    messages, set_aside, latest = client.query(
        "SELECT uniqExact(epoch, topic, partition, offset), uniqExactIf((topic, partition, offset), NOT endsWith(topic,"
        " 'pos.receipts')), max(rejected_at) FROM dead_letters"
    ).result_rows[0]
    return {"messages": messages, "set_aside": set_aside, "latest": _utc(latest) if messages else None}


def stores_in_two_partitions(client: Client) -> list[dict[str, Any]]:
    """Stores whose receipts arrive in more than one partition: totals are right, duplicates are judged within one."""
    rows = client.query(
        "SELECT store_id, arraySort(groupUniqArray(partition)) AS partitions FROM store_windows"
        f" WHERE {LIVE} GROUP BY store_id, epoch HAVING length(partitions) > 1 ORDER BY store_id, epoch DESC"
        f" LIMIT 1 BY store_id LIMIT {MOST_STORES}"
    ).result_rows
    return [{"store_id": store, "partitions": list(partitions)} for store, partitions in rows]


def live_epoch(client: Client) -> tuple[int, int] | None:
    """Window and grace, in seconds, of the newest live epoch as ClickHouse knows it."""
    rows = client.query(
        "SELECT argMax(window_seconds, version), argMax(grace_seconds, version) FROM epochs"
        f" WHERE {LIVE} GROUP BY epoch ORDER BY epoch DESC LIMIT 1"
    ).result_rows
    return (rows[0][0], rows[0][1]) if rows else None


def _utc(moment: datetime) -> datetime:
    """Every time in ClickHouse is UTC; the embedded engine leaves that unsaid."""
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
