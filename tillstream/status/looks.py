"""What ClickHouse tells about the state of things: freshness, dead letters, stores and receipts to look into."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from clickhouse_connect.driver.client import Client

SHOWN = 20
_LIVE = "epoch IN (SELECT epoch FROM live_epochs)"


def freshness(client: Client) -> dict[str, Any]:
    """The newest window with sales and the newest receipt of the ledger, or nothing where there is none."""
    windows, newest_window = client.query(
        f"SELECT count(), max(window_start) FROM store_windows WHERE {_LIVE}"
    ).result_rows[0]
    receipts, occurred, published = client.query(
        f"SELECT count(), max(occurred_at), max(published_at) FROM receipts WHERE {_LIVE}"
    ).result_rows[0]
    return {
        "newest_window": _utc(newest_window) if windows else None,
        "newest_receipt_occurred_at": _utc(occurred) if receipts else None,
        "newest_receipt_published_at": _utc(published) if receipts else None,
    }


def rejected(client: Client) -> dict[str, Any]:
    """How many dead letters there are, how many of them were set aside by a sink, and the latest one's time."""
    messages, set_aside, latest = client.query(
        "SELECT uniqExact(topic, partition, offset), uniqExactIf((topic, partition, offset), NOT endsWith(topic,"
        " 'pos.receipts')), max(rejected_at) FROM rejected"
    ).result_rows[0]
    return {"messages": messages, "set_aside": set_aside, "latest": _utc(latest) if messages else None}


def stores_in_two_partitions(client: Client) -> list[dict[str, Any]]:
    """Stores whose receipts arrive in more than one partition: totals are right, duplicates are judged within one."""
    rows = client.query(
        "SELECT store_id, arraySort(groupUniqArray(partition)) AS partitions FROM store_windows"
        f" WHERE {_LIVE} GROUP BY store_id HAVING length(partitions) > 1 ORDER BY store_id LIMIT {SHOWN}"
    ).result_rows
    return [{"store_id": store, "partitions": list(partitions)} for store, partitions in rows]


def counted_twice(client: Client, window: int, grace: int) -> list[dict[str, Any]]:
    """Receipts of which a copy was counted too: it bore a new time, after the first one's window had closed.

    A copy at a larger offset counts if it is no duplicate (the first one's window had closed: the store's newest time
    before the copy had reached its end plus grace) and not late (its own window was open by then). Widths in seconds.
    """
    end = f"toUnixTimestamp(toDateTime(intDiv(toUnixTimestamp(occurred_at), {window}) * {window})) + {window + grace}"
    rows = client.query(
        f"""
        SELECT store_id, transaction_id, first_at, copy_at, partition, copy_offset
        FROM
        (
            SELECT store_id, epoch, partition, occurred_at AS seen_at, offset AS seen_offset FROM receipts WHERE {_LIVE}
        ) AS seen
        INNER JOIN
        (
            SELECT store_id, transaction_id, reversal, epoch, partition,
                   min(offset) AS first_offset, argMin(occurred_at, offset) AS first_at,
                   argMin({end}, offset) AS first_closes,
                   max(offset) AS copy_offset, argMax(occurred_at, offset) AS copy_at,
                   argMax({end}, offset) AS copy_closes
            FROM receipts
            WHERE {_LIVE}
            GROUP BY store_id, transaction_id, reversal, epoch, partition
            HAVING copy_offset > first_offset AND copy_closes > first_closes
            SETTINGS optimize_aggregation_in_order = 1
        ) AS pair USING (store_id, epoch, partition)
        WHERE seen_offset < copy_offset
        GROUP BY store_id, transaction_id, reversal, epoch, partition, first_at, copy_at, copy_offset, first_closes,
                 copy_closes
        HAVING toUnixTimestamp(max(seen_at)) >= first_closes AND toUnixTimestamp(max(seen_at)) < copy_closes
        ORDER BY copy_at DESC
        LIMIT {SHOWN}
        """
    ).result_rows
    return [
        {
            "store_id": store,
            "transaction_id": transaction,
            "first_occurred_at": _utc(first),
            "copy_occurred_at": _utc(copy),
            "partition": partition,
            "copy_offset": offset,
        }
        for store, transaction, first, copy, partition, offset in rows
    ]


def _utc(moment: datetime) -> datetime:
    """Every time in ClickHouse is UTC; the embedded engine leaves that unsaid."""
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
