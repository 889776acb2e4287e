"""What ClickHouse has: totals, receipts per store and window, counts, and rows that moved on meanwhile."""

from __future__ import annotations

from collections.abc import Mapping

import polars as pl
from aiokafka import TopicPartition
from clickhouse_connect.driver.client import Client

from tillstream.reconcile.compare import to_frame
from tillstream.reconcile.spill import DAY, FIGURES

SECOND = 1_000_000
# Only numbers of ours are put into these texts.
_START = "toInt64(toUnixTimestamp(window_start)) * 1000000"


class Found:
    """Reads the views; window starts come as microseconds, decimals as scaled integers."""

    def __init__(self, client: Client, ends: Mapping[TopicPartition, int]) -> None:
        self._client = client
        self._ends = {partition.partition: end for partition, end in ends.items()}

    def sales(self, where: str) -> pl.DataFrame:
        """Rows of the view `sales`."""
        return self._frame(
            f"SELECT s.store_id AS store_id, s.sku AS sku, s.currency AS currency, {_START} AS start,"
            f" {', '.join(FIGURES)} FROM sales AS s WHERE {where}"
        )

    def receipt_counts(self, where: str) -> pl.DataFrame:
        """Rows of the view `receipt_counts`."""
        return self._frame(f"SELECT store_id, {_START} AS start, receipts FROM receipt_counts WHERE {where}")

    def moving(self) -> pl.DataFrame:
        """Keys of rows that receipts beyond the noted ends have changed."""
        newer = " OR ".join(f"(partition = {number} AND version >= {end})" for number, end in self._ends.items())
        later = newer.replace("version", "offset")
        columns = f"store_id, sku, toString(currency) AS currency, {_START} AS start"
        return self._frame(
            f"SELECT DISTINCT {columns} FROM sales_windows WHERE {newer}"
            f" UNION DISTINCT SELECT DISTINCT {columns} FROM late_lines WHERE {later}"
        )

    def counts(self, epoch: int) -> dict[int, dict[str, int]]:
        """Counts by partition and result, without partitions whose counts have moved beyond their noted end."""
        rows = self._client.query(
            "SELECT partition, toString(result), messages, version FROM partition_results FINAL"
            " WHERE epoch = {epoch:UInt32}",
            parameters={"epoch": epoch},
        ).result_rows
        found: dict[int, dict[str, int]] = {partition: {} for partition in self._ends}
        moved = {partition for partition, _, _, version in rows if version >= self._ends.get(partition, 0)}
        for partition, result, messages, _ in rows:
            if partition in found and partition not in moved:
                found[partition][result] = messages
        return {partition: counts for partition, counts in found.items() if partition not in moved}

    def _frame(self, query: str) -> pl.DataFrame:
        return to_frame(self._client.query_arrow(query)).rename({"start": "window_start"})


def between(first: int, after: int) -> str:
    """Condition for the windows of some days, given as days since the Unix epoch."""
    return f"(window_start >= {first * DAY // SECOND} AND window_start < {after * DAY // SECOND})"


def outside(ranges: list[tuple[int, int]]) -> str:
    """Condition for the windows of no such range."""
    return f"NOT ({' OR '.join(between(*days) for days in ranges)})" if ranges else "1"
