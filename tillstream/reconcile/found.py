"""What ClickHouse has: totals, receipts per store and window, counts, and rows that moved on meanwhile."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import polars as pl
from aiokafka import TopicPartition
from clickhouse_connect.driver.client import Client

from schemas.window import MONEY_SCALE
from tillstream.reconcile.compare import Difference, to_frame
from tillstream.reconcile.spill import DAY, FIGURES
from tillstream.reconcile.views import as_if_live

SECOND = 1_000_000
# Only numbers of ours are put into these texts.
_START = "toInt64(toUnixTimestamp(window_start)) * 1000000"
_MONEY = "Decimal(18, 4)"
_TYPES = {"units": "Decimal(18, 5)", "returned": "Decimal(18, 5)", "receipts": "Int64"}


# Tables whose rows carry the offset up to which they were computed, or at which they stand.
_VERSIONS = {"sales_windows": "version", "store_windows": "version", "partition_results": "version",
             "late_lines": "offset", "receipts": "offset"}  # fmt: skip


class Found:
    """Reads the views; window starts come as microseconds, decimals as scaled integers, dates as ISO texts.

    `epoch` is the one to judge, `ends` are the log's as they were noted. With `alone` the views are asked as if it
    alone were live.
    """

    def __init__(self, client: Client, epoch: int, ends: Mapping[TopicPartition, int], *, alone: bool) -> None:
        self._client = client
        self._views = as_if_live(epoch) if alone else ""
        self._epoch = epoch
        self._ends = {partition.partition: end for partition, end in ends.items()}

    def sales(self, where: str) -> pl.DataFrame:
        """Rows of the view `sales`."""
        return self._frame(
            f"{self._views}SELECT s.store_id AS store_id, s.sku AS sku, s.currency AS currency, {_START} AS start,"
            f" {', '.join(FIGURES)} FROM sales AS s WHERE {where}"
        )

    def receipt_counts(self, where: str) -> pl.DataFrame:
        """Rows of the view `receipt_counts`."""
        return self._frame(
            f"{self._views}SELECT store_id, {_START} AS start, receipts FROM receipt_counts WHERE {where}"
        )

    def dates(self) -> pl.DataFrame:
        """The view `sales_by_business_date`, all SKUs of a store, currency and date together."""
        sums = ", ".join(f"CAST(sum(d.{name}) AS {_TYPES.get(name, _MONEY)}) AS {name}" for name in FIGURES)
        return self._frame(
            f"{self._views}SELECT store_id, currency, toString(d.business_date) AS business_date, {sums}"
            " FROM sales_by_business_date AS d GROUP BY store_id, currency, business_date"
        )

    def moving(self, where: str) -> pl.DataFrame:
        """Keys of rows that receipts beyond the noted ends have changed, with their business dates.

        To be asked after the rows were read: a row that had moved by then shows it by its version.
        """
        columns = f"store_id, sku, toString(currency) AS currency, {_START} AS start, toString(business_date) AS date"
        parts = [
            f"SELECT DISTINCT {columns} FROM {table} WHERE {where} AND {self._from(_VERSIONS[table], self._ends)}"
            for table in ("sales_windows", "late_lines")
        ]
        return self._frame(" UNION DISTINCT ".join(parts)).rename({"date": "business_date"})

    def counts(self) -> tuple[dict[int, dict[str, int]], set[int]]:
        """Counts by partition and result, and the partitions whose counts have moved beyond their noted end."""
        rows = self._client.query(
            "SELECT partition, toString(result), messages, version FROM partition_results FINAL"
            " WHERE epoch = {epoch:UInt32}",
            parameters={"epoch": self._epoch},
        ).result_rows
        found: dict[int, dict[str, int]] = {partition: {} for partition in self._ends}
        for partition, result, messages, _ in rows:
            found.setdefault(partition, {})[result] = messages
        return found, {partition for partition, _, _, version in rows if version >= self._ends.get(partition, 0)}

    def late(self) -> dict[int, dict[str, int]]:
        """Late receipts below the noted ends, by partition."""
        return {row[0]: {"messages": row[1]} for row in self._below_ends("late_lines", "uniqExact(offset)")}

    def ledger(self) -> dict[int, dict[str, int]]:
        """Receipts of the ledger below the noted ends and what was paid (ten-thousandths), by partition."""
        rows = self._below_ends("receipts", "count(), sum(amount)")
        return {row[0]: {"messages": row[1], "paid": int(row[2].scaleb(MONEY_SCALE))} for row in rows}

    def rejected(self, topic: str) -> dict[int, dict[str, int]]:
        """Dead letters of `topic` below the noted ends, by partition."""
        below = " OR ".join(f"(partition = {number} AND offset < {end})" for number, end in self._ends.items())
        rows = self._client.query(
            f"{self._views}SELECT partition, uniqExact(offset) FROM dead_letters WHERE topic = {{topic:String}}"
            f" AND ({below}) GROUP BY partition",
            parameters={"topic": topic},
        ).result_rows
        return {row[0]: {"messages": row[1]} for row in rows}

    def beyond(self, ends: Mapping[TopicPartition, int]) -> list[Difference]:
        """What claims to come from beyond the log's `ends` of now: it is in flight from nowhere."""
        now = {partition.partition: end for partition, end in ends.items()}
        found = []
        for table, version in _VERSIONS.items():
            rows = self._client.query(
                f"SELECT partition, count(), max({version}) FROM {table} WHERE {self._from(version, now)}"
                " GROUP BY partition ORDER BY partition"
            ).result_rows
            for partition, many, newest in rows:
                key, wanted = {"partition": partition}, {version: f"below {now[partition]}"}
                found.append(Difference(table, "beyond the log", key, wanted, {version: newest, "rows": many}))
        return found

    def _below_ends(self, table: str, figures: str) -> Sequence[Sequence[Any]]:
        below = " OR ".join(f"(partition = {number} AND offset < {end})" for number, end in self._ends.items())
        rows: Sequence[Sequence[Any]] = self._client.query(
            f"SELECT partition, {figures} FROM {table} FINAL WHERE epoch = {self._epoch} AND ({below})"
            " GROUP BY partition"
        ).result_rows
        return rows

    def _from(self, column: str, ends: Mapping[int, int]) -> str:
        """Condition: at or beyond these ends, in the epoch."""
        newer = " OR ".join(f"(partition = {number} AND {column} >= {end})" for number, end in ends.items())
        return f"(epoch = {self._epoch} AND ({newer}))"

    def _frame(self, query: str) -> pl.DataFrame:
        return to_frame(self._client.query_arrow(query)).rename({"start": "window_start"}, strict=False)


def between(first: int, after: int) -> str:
    """Condition for the windows of some days, given as days since the Unix epoch."""
    return f"(window_start >= {first * DAY // SECOND} AND window_start < {after * DAY // SECOND})"


def outside(ranges: list[tuple[int, int]]) -> str:
    """Condition for the windows of no such range."""
    return f"NOT ({' OR '.join(between(*days) for days in ranges)})" if ranges else "1"
