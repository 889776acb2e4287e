"""ClickHouse in memory: ReplacingMergeTree as schemas/clickhouse declares each table, and the rules of the views.

Key and version are read from the SQL files, so that a change of them is a change here. Inserts become parts; a merge
and FINAL keep the row of the largest version of each key, of equal ones the last inserted.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import UTC, date, datetime
from decimal import Decimal
from functools import cache, lru_cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa

import schemas
from schemas.errors import Unavailable
from schemas.window import MONEY_SCALE, QUANTITY_SCALE
from sinks.batch import Batch, Rows

_TABLE = re.compile(
    r"CREATE TABLE IF NOT EXISTS (?P<name>\w+)\s*\((?P<columns>.*?)\n\)\s*ENGINE = ReplacingMergeTree"
    r"(?:\((?P<version>\w+)\))?.*?ORDER BY \(?(?P<key>[\w, ]+)\)?;",
    re.DOTALL,
)
_KEY = re.compile(r"ALTER TABLE (?P<name>\w+)\b[^;]*?MODIFY ORDER BY \((?P<key>[\w, ]+)\)")
# What of a wide table the views' rules look at.
_KEPT = {"receipts": {"store_id", "transaction_id", "epoch", "partition", "offset", "reversal", "amount"}}
# What these hold of a message depends on where its copy stands, so that two copies need not be equal.
_COPIES_DIFFER = {"rejected"}
_FIGURES = ("units", "returned", "revenue", "discount", "tax", "receipts")


class Shape(NamedTuple):
    """A table's ORDER BY and its version column, None where the last inserted row holds."""

    key: tuple[str, ...]
    version: str | None


@cache
def declared() -> dict[str, Shape]:
    """Every ReplacingMergeTree of schemas/clickhouse."""
    folder = Path(schemas.__file__).parent / "clickhouse"
    text = "\n".join(path.read_text() for path in sorted(folder.glob("*.sql")))
    keys = {found["name"]: found["key"] for pattern in (_TABLE, _KEY) for found in pattern.finditer(text)}
    return {
        found["name"]: Shape(tuple(name.strip() for name in keys[found["name"]].split(",")), found["version"])
        for found in _TABLE.finditer(text)
    }


def _plain(column: pa.ChunkedArray) -> list:
    """A column's values; decimals as integers of their last place, times as integers of their unit."""
    kind = column.type
    if not (pa.types.is_decimal(kind) or pa.types.is_temporal(kind)):
        return column.to_pylist()
    array = column.chunk(0) if column.num_chunks == 1 else column.combine_chunks()
    if pa.types.is_temporal(kind):
        return array.view(pa.int32() if pa.types.is_date32(kind) else pa.int64()).to_pylist()
    low = np.frombuffer(array.buffers()[1], np.int64)[2 * array.offset :: 2]
    return low[: len(array)].tolist()


@lru_cache(maxsize=1 << 12)
def _moment(seconds: int) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


@lru_cache(maxsize=1 << 12)
def _day(days: int) -> str:
    return date.fromordinal(date(1970, 1, 1).toordinal() + days).isoformat()


@lru_cache(maxsize=1 << 12)
def _number(value: int, places: int) -> Decimal:
    return Decimal(value).scaleb(-places)


class Stored(NamedTuple):
    """A row under its key; 0 is the version where a table has none."""

    version: int
    values: dict


Part = dict[tuple, Stored]


class Table:
    """The parts of one table."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.shape = declared()[name]
        self.parts: list[Part] = []
        self.faults: list[str] = []

    def insert(self, rows: Rows) -> None:
        names = [name for name in rows.data.column_names if name in _KEPT.get(self.name, {name})]
        columns = [_plain(rows.data[name]) for name in names]
        key, version = self.shape
        part: Part = {}
        for values in zip(*columns, strict=True):
            row = dict(zip(names, values, strict=True))
            self._put(part, tuple([row[name] for name in key]), Stored(row[version] if version else 0, row))
        self.parts.append(part)

    def _put(self, part: Part, key: tuple, row: Stored) -> None:
        known = part.get(key)
        if known is None or row.version >= known.version:
            part[key] = row
        if known is not None and known.version == row.version and known != row and self.name not in _COPIES_DIFFER:
            self.faults.append(f"{self.name} {key}: one version, two contents")

    def merge(self, at: int) -> None:
        """Merge two neighbouring parts, as ClickHouse does at any time."""
        if len(self.parts) > 1:
            at %= len(self.parts) - 1
            one, other = self.parts[at : at + 2]
            merged = dict(one)
            for key, row in other.items():
                self._put(merged, key, row)
            self.parts[at : at + 2] = [merged]

    def final(self) -> Iterable[dict]:
        """The rows as FINAL shows them."""
        while len(self.parts) > 1:
            self.merge(0)
        return [row.values for row in self.parts[0].values()] if self.parts else []


class MemoryClickHouse:
    """The tables, and the views' rules. Views are asked for epochs, since a building one is compared too."""

    def __init__(self) -> None:
        self.tables = {name: Table(name) for name in declared()}
        self.unreadable: list[str] = []
        self.away: int | None = None

    def write(self, batch: Batch, tables: int | None = None) -> None:
        """Insert a batch, as sinks.store does; only into so many tables where the sink died in between.

        Raises Unavailable where it goes `away` after so many tables: nobody is told which of them are written.
        """
        if tables is None and self.away is not None:
            tables, self.away = self.away, None
            self.write(batch, tables)
            raise Unavailable("ClickHouse", "gone away")
        self.unreadable += [reason for _, reason in batch.unreadable]
        for rows in batch.rows[:tables]:
            self.tables[rows.table].insert(rows)

    def remove(self, epoch: int, tables: Iterable[str]) -> None:
        """Delete an epoch's rows of some tables."""
        for name in tables:
            parts = self.tables[name].parts
            for part in parts:
                for key in [key for key, row in part.items() if row.values["epoch"] == epoch]:
                    del part[key]

    def of(self, name: str, epoch: int) -> list[dict]:
        """Rows of one epoch, as FINAL shows them."""
        return [row for row in self.tables[name].final() if row["epoch"] == epoch]

    def live_epochs(self) -> list[int]:
        live = [row for row in self.tables["epochs"].final() if row["state"] == "live"]
        replaced = {number for row in live for number in row["replaces"]}
        return sorted(row["epoch"] for row in live if row["epoch"] not in replaced)

    def late_counted(self, epoch: int) -> list[dict]:
        """Late lines whose receipt is the first of its id that the ledger knows, in its partition and epoch."""
        first: dict[tuple, int] = {}
        for row in self.of("receipts", epoch):
            name = (row["store_id"], row["transaction_id"], row["reversal"], row["partition"])
            first[name] = min(first.get(name, row["offset"]), row["offset"])
        return [
            row
            for row in self.of("late_lines", epoch)
            if first.get((row["store_id"], row["transaction_id"], row["reversal"], row["partition"])) == row["offset"]
        ]

    def sales(self, epoch: int, late: list[dict]) -> dict[tuple, list]:
        """The view sales, its rows parted by business date as in sales_by_business_date."""
        rows: dict[tuple, list] = {}
        for row in (*self.of("sales_windows", epoch), *late):
            name = (row["store_id"], row["sku"], row["currency"], row["window_start"], row["business_date"])
            total = rows.get(name)
            if total is None:
                total = rows[name] = [0] * len(_FIGURES)
            for place, column in enumerate(_FIGURES):
                total[place] += row[column]
        return {
            (store, sku, currency, _moment(start), _day(day)): [
                *[_number(value, QUANTITY_SCALE) for value in total[:2]],
                *[_number(value, MONEY_SCALE) for value in total[2:5]],
                total[5],
            ]
            for (store, sku, currency, start, day), total in rows.items()
        }

    def receipt_counts(self, epoch: int, late: list[dict]) -> dict[tuple, int]:
        """The view receipt_counts: a late receipt once, not once a line."""
        counts: dict[tuple, int] = {}
        for row in self.of("store_windows", epoch):
            name = (row["store_id"], row["window_start"])
            counts[name] = counts.get(name, 0) + row["receipts"]
        once = {(row["partition"], row["offset"]): row for row in late}
        for row in once.values():
            name = (row["store_id"], row["window_start"])
            counts[name] = counts.get(name, 0) + row["store_receipts"]
        return {(store, _moment(start)): many for (store, start), many in counts.items()}

    def partition_counts(self, epoch: int) -> dict[tuple[int, str], int]:
        return {(row["partition"], row["result"]): row["messages"] for row in self.of("partition_results", epoch)}
