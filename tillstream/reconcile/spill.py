"""Line rows wait on disk, a file a part in the order of days, so that memory holds a few days at a time."""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from itertools import accumulate
from pathlib import Path
from typing import NamedTuple

import polars as pl
import pyarrow as pa

from tillstream.reconcile.oracle import Counted

DAY = 86_400_000_000
LINES_PER_PART = 300_000
LINES_PER_RANGE = 500_000
KEY = ["store_id", "sku", "currency", "window_start"]
DATE_KEY = ["store_id", "currency", "business_date"]
FIGURES = ["units", "returned", "revenue", "discount", "tax", "receipts"]
_SCHEMA = {
    "store_id": pl.String, "sku": pl.String, "currency": pl.String, "window_start": pl.Int64,
    "business_date": pl.String, "units": pl.Int64, "returned": pl.Int64, "revenue": pl.Int64, "discount": pl.Int64,
    "tax": pl.Int64, "receipts": pl.Int64,
}  # fmt: skip
_STORES = {"store_id": pl.String, "window_start": pl.Int64, "receipts": pl.Int64}


class _File(NamedTuple):
    """A part, in the order of days; rows of `days[i]` begin at `begins[i]`, and end where the next begin."""

    rows: pa.Table
    days: list[int]
    begins: list[int]

    def of(self, first: int, after: int) -> pl.DataFrame:
        """Rows of the days from `first` on, before `after`."""
        start, end = (self.begins[bisect_left(self.days, day)] for day in (first, after))
        found = pl.from_arrow(self.rows.slice(start, end - start))
        assert isinstance(found, pl.DataFrame)
        return found


class Spill:
    """Takes receipts that count, gives totals by ranges of days. Figures are scaled integers, exact."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._parts = 0
        self._begin()
        self._lines: dict[int, int] = defaultdict(int)
        self._files: dict[str, list[_File]] = {"rows": [], "stores": []}

    def _begin(self) -> None:
        self._columns: list[list[str] | list[int]] = [[] for _ in _SCHEMA]
        self._stores: list[tuple[str, int, int]] = []

    def add(self, one: Counted) -> None:
        """Add a receipt's lines, signed: returns lower revenue, a post_void takes away."""
        receipt, lines = one.receipt, one.receipt.lines
        turn = -1 if receipt.type == "post_void" else 1
        self._stores.append((receipt.store_id, one.start, turn))
        if turn == 1 and lines.void is None and lines.returned is None:
            many = len(lines.sku)
            unsigned: list[list[str] | list[int]] = [
                [receipt.store_id] * many, lines.sku, [receipt.currency] * many, [one.start] * many,
                [receipt.business_date] * many, lines.quantity, [0] * many, lines.amount, lines.discount, lines.tax,
                first_of_each(lines.sku),
            ]  # fmt: skip
            for column, values in zip(self._columns, unsigned, strict=True):
                column.extend(values)  # type: ignore[arg-type]  # each column has one type
        else:
            self._add_signed(one, turn)
        if len(self._columns[0]) >= LINES_PER_PART:
            self._write()

    def _add_signed(self, one: Counted, turn: int) -> None:
        receipt, lines = one.receipt, one.receipt.lines
        seen: set[str] = set()
        for at, sku in enumerate(lines.sku):
            if lines.void is not None and lines.void[at]:
                continue
            back = lines.returned is not None and lines.returned[at]
            money = -turn if back else turn
            row = (
                receipt.store_id, sku, receipt.currency, one.start, receipt.business_date,
                0 if back else turn * lines.quantity[at], turn * lines.quantity[at] if back else 0,
                money * lines.amount[at], money * lines.discount[at], money * lines.tax[at],
                0 if sku in seen else turn,
            )  # fmt: skip
            seen.add(sku)
            for column, value in zip(self._columns, row, strict=True):
                column.append(value)  # type: ignore[arg-type]  # each column has one type

    def _write(self) -> None:
        self._parts += 1
        frame = pl.DataFrame(dict(zip(_SCHEMA, self._columns, strict=True)), schema=_SCHEMA)
        self._save("rows", frame)
        self._save("stores", pl.DataFrame(self._stores, schema=_STORES, orient="row"))
        self._begin()

    def _save(self, kind: str, frame: pl.DataFrame) -> None:
        path = self._folder / f"{kind}-{self._parts}.arrow"
        ordered = frame.sort("window_start")
        table = ordered.to_arrow(compat_level=pl.CompatLevel.oldest())  # whose texts can be cut out of a mapped file
        with pa.OSFile(str(path), "wb") as file, pa.ipc.new_file(file, table.schema) as writer:
            writer.write_table(table)
        found = (ordered["window_start"] // DAY).rle().struct.unnest()
        days, many = found["value"].to_list(), found["len"].to_list()
        # Mapped, not read: the system takes the pages back as it needs them.
        mapped = pa.ipc.open_file(pa.memory_map(str(path))).read_all()
        self._files[kind].append(_File(mapped, days, [0, *accumulate(many)]))
        for day, lines in zip(days, many, strict=True):
            self._lines[day] += lines if kind == "rows" else 0  # a day may have receipts without a line that counts

    def ranges(self) -> list[tuple[int, int]]:
        """(first day, day after the last) since the Unix epoch, each with about LINES_PER_RANGE lines."""
        self._write()
        found: list[tuple[int, int]] = []
        lines = 0
        for day in sorted(self._lines):
            if found and lines + self._lines[day] <= LINES_PER_RANGE:
                found[-1] = (found[-1][0], day + 1)
                lines += self._lines[day]
            else:
                found.append((day, day + 1))
                lines = self._lines[day]
        return found

    def rows(self, first: int, after: int) -> pl.DataFrame:
        """Totals by KEY of these days."""
        return self._totals("rows", first, after, KEY, FIGURES, pl.DataFrame(schema=_SCHEMA))

    def stores(self, first: int, after: int) -> pl.DataFrame:
        """Receipts by store and window of these days."""
        return self._totals("stores", first, after, KEY[:1] + KEY[3:], ["receipts"], pl.DataFrame(schema=_STORES))

    def dates(self, first: int, after: int) -> pl.DataFrame:
        """Totals by DATE_KEY of these days' windows."""
        return self._totals("rows", first, after, DATE_KEY, FIGURES, pl.DataFrame(schema=_SCHEMA))

    def _totals(
        self, kind: str, first: int, after: int, key: list[str], figures: list[str], empty: pl.DataFrame
    ) -> pl.DataFrame:
        parts = [file.of(first, after) for file in self._files[kind]]
        return pl.concat([empty, *parts]).group_by(key).agg(pl.col(figures).sum())


def first_of_each(skus: list[str]) -> list[int]:
    """1 for the first line of each SKU of a receipt, 0 for its further ones."""
    if len(set(skus)) == len(skus):
        return [1] * len(skus)
    seen: set[str] = set()
    return [0 if sku in seen or seen.add(sku) else 1 for sku in skus]  # type: ignore[func-returns-value]
