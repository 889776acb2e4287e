"""Expected totals against ClickHouse's: which rows are missing, extra or different. Exact integers throughout."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa

from schemas.window import MONEY_SCALE, QUANTITY_SCALE

SCALES = {
    "units": QUANTITY_SCALE, "returned": QUANTITY_SCALE, "revenue": MONEY_SCALE, "discount": MONEY_SCALE,
    "tax": MONEY_SCALE, "paid": MONEY_SCALE,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Difference:
    """A row that is missing in ClickHouse, extra there, or different. `key` and figures as people read them."""

    what: str
    kind: str
    key: dict[str, Any]
    expected: dict[str, Any] | None
    found: dict[str, Any] | None


def to_frame(table: pa.Table) -> pl.DataFrame:
    """ClickHouse's Arrow answer with decimals as scaled integers: the low 8 bytes of each, none is wider."""
    data: dict[str, Any] = {}
    for name in table.column_names:
        column = table.column(name).combine_chunks()
        if isinstance(column, pa.ChunkedArray):
            column = pa.concat_arrays(column.chunks) if column.num_chunks else pa.array([], column.type)
        if pa.types.is_decimal128(column.type):
            wide = np.frombuffer(column.buffers()[1], dtype=np.int64) if len(column) else np.empty(0, np.int64)
            data[name] = wide[0::2][column.offset : column.offset + len(column)].copy()
        elif pa.types.is_binary(column.type):
            data[name] = column.cast(pa.string())
        else:
            data[name] = column
    return pl.DataFrame({name: pl.Series(name, values) for name, values in data.items()})


def compare(
    what: str, expected: pl.DataFrame, found: pl.DataFrame, key: list[str], figures: list[str], limit: int
) -> tuple[int, list[Difference]]:
    """How many rows differ, and the first `limit` of them."""
    types = dict.fromkeys([*figures, "window_start"], pl.Int64)
    left = expected.cast({name: kind for name, kind in types.items() if name in expected.columns})
    right = found.cast({name: kind for name, kind in types.items() if name in found.columns}).select(key + figures)
    both = left.with_columns(here=pl.lit(1)).join(
        right.with_columns(there=pl.lit(1)), on=key, how="full", suffix="_found", coalesce=True
    )
    equal = pl.all_horizontal([pl.col(name).eq_missing(pl.col(f"{name}_found")) for name in figures])
    wrong = both.filter(~(equal & pl.col("here").is_not_null() & pl.col("there").is_not_null()))
    rows = wrong.sort(key).head(limit).to_dicts()
    return wrong.height, [_difference(what, row, key, figures) for row in rows]


def _difference(what: str, row: Mapping[str, Any], key: list[str], figures: list[str]) -> Difference:
    here, there = row["here"] is not None, row["there"] is not None
    return Difference(
        what,
        "different" if here and there else "missing" if here else "extra",
        {name: row[name] for name in key},
        {name: _plain(name, row[name]) for name in figures} if here else None,
        {name: _plain(name, row[f"{name}_found"]) for name in figures} if there else None,
    )


def _plain(name: str, value: int) -> str:
    scale = SCALES.get(name, 0)
    if not scale:
        return str(value)
    sign, digits = "-" if value < 0 else "", f"{abs(value):0{scale + 1}d}"
    return f"{sign}{digits[:-scale]}.{digits[-scale:]}"


def count_differences(
    expected: Mapping[int, Mapping[str, int]], found: Mapping[int, Mapping[str, int]]
) -> list[Difference]:
    """Counts by partition and result that differ; one that is missing is 0."""
    differences = []
    for partition in sorted(expected.keys() | found.keys()):
        wanted, there = expected.get(partition, {}), found.get(partition, {})
        for result in sorted(wanted.keys() | there.keys()):
            if wanted.get(result, 0) != there.get(result, 0):
                known, seen = {"messages": wanted.get(result, 0)}, {"messages": there.get(result, 0)}
                key = {"partition": partition, "result": result}
                differences.append(Difference("counts", "different", key, known, seen))
    return differences


def table_differences(
    table: str, expected: Mapping[int, Mapping[str, int]], found: Mapping[int, Mapping[str, int]]
) -> list[Difference]:
    """Partitions of which a table holds another number of messages, or other sums, than the log."""
    differences = []
    for partition in sorted(expected.keys() | found.keys()):
        names = expected.get(partition, found.get(partition, {})).keys()
        wanted = {name: expected.get(partition, {}).get(name, 0) for name in names}
        there = {name: found.get(partition, {}).get(name, 0) for name in names}
        if wanted != there:
            known = {name: _plain(name, value) for name, value in wanted.items()}
            seen = {name: _plain(name, value) for name, value in there.items()}
            differences.append(Difference(table, "different", {"partition": partition}, known, seen))
    return differences
