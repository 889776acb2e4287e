"""Rows of a table in a file, every cell as text, with the line where each row starts."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, Self

import pyarrow as pa
import pyarrow.parquet as pq

from schemas.errors import Stop

# Small enough that a batch of wide rows stays within tens of MB.
_ROWS_A_BATCH = 8192

# Text, or None; a Parquet column whose name is not known may hold anything.
Cells = Sequence[Any]


@dataclass(frozen=True, slots=True)
class Rows:
    """An open table: its column names, and its rows as (line, cells); empty and null cells are None or "".

    A row whose number of cells is not that of the columns comes as it is; the reader of the rows refuses it.
    """

    names: list[str]
    cells: Iterator[tuple[int, Cells]]
    close: Callable[[], None]

    def __enter__(self) -> Self:
        """Use it as a context manager, so that the file is closed."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, fault: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the file."""
        self.close()

    def require(self, columns: Sequence[str], name: str) -> None:
        """Raise Stop where one of `columns` is missing from the file called `name`."""
        missing = [column for column in columns if column not in self.names]
        if missing:
            raise Stop(
                f"{name} has no column {', '.join(missing)}.",
                f"It has {', '.join(self.names) or 'none'}; columns are named as the fields are.",
            )


def csv_rows(stream: BinaryIO, name: str) -> Rows:
    """Read CSV with a header, RFC 4180, UTF-8 with or without a byte order mark; raises Stop."""
    text = io.TextIOWrapper(stream, encoding="utf-8-sig", newline="")
    reader = csv.reader(text, strict=True)
    rows = _csv_lines(reader, name)
    header = next(rows, (1, []))[1]
    names = [(column or "").strip() for column in header]
    _refuse_doubles(names, name)
    return Rows(names, rows, text.close)


def _csv_lines(reader: Any, name: str) -> Iterator[tuple[int, Cells]]:
    line = 1
    try:
        for cells in reader:
            if cells:
                yield line, cells
            line = reader.line_num + 1
    except csv.Error as fault:
        raise Stop(f"{name}, line {line}: this is no CSV: {fault}") from None
    except UnicodeDecodeError:
        raise Stop(f"{name}, at or after line {line}: this is not UTF-8.", "Save the file as UTF-8.") from None
    except (OSError, EOFError, pa.ArrowException) as fault:
        raise Stop(f"{name} cannot be read on after line {line}: {fault}") from None


def parquet_rows(path: Path, known: Collection[str]) -> Rows:
    """Read Parquet; rows count from 1.

    Raises Stop, also where one of the `known` columns has a type that cannot be read exactly. Other columns are
    handed on as they are.
    """
    try:
        file = pq.ParquetFile(path)
        schema = file.schema_arrow
    except (OSError, pa.ArrowException) as fault:
        raise Stop(f"{path} is no Parquet file that can be read: {fault}") from None
    names = list(schema.names)
    _refuse_doubles(names, str(path))
    read = [_reader(field, path) if field.name in known else None for field in schema]
    return Rows(names, _parquet_lines(file, read, path), file.close)


def _parquet_lines(file: Any, read: list[Callable[[Any], str] | None], path: Path) -> Iterator[tuple[int, Cells]]:
    row = 0
    try:
        for batch in file.iter_batches(batch_size=_ROWS_A_BATCH):
            columns = [_texts(column, reader) for column, reader in zip(batch.columns, read, strict=True)]
            for cells in zip(*columns, strict=True):
                row += 1
                yield row, cells
    except (OSError, pa.ArrowException) as fault:
        raise Stop(f"{path} cannot be read on after row {row}: {fault}") from None


def _texts(column: Any, reader: Callable[[Any], str] | None) -> list[Any]:
    values: list[Any] = column.to_pylist()
    if reader is None:
        return values
    return [None if value is None else reader(value) for value in values]


def _reader(field: Any, path: Path) -> Callable[[Any], str] | None:
    """How a column's values become text; None where they are text already."""
    kind = field.type.value_type if pa.types.is_dictionary(field.type) else field.type
    types = pa.types
    if types.is_string(kind) or types.is_large_string(kind) or types.is_string_view(kind) or types.is_null(kind):
        return None
    if types.is_integer(kind):
        return str
    if types.is_decimal(kind):
        return _decimal
    if types.is_boolean(kind):
        return _boolean
    if types.is_date(kind):
        return date.isoformat
    if types.is_timestamp(kind) and kind.tz is not None and kind.unit != "ns":
        return _instant
    raise Stop(f"{path}: column {field.name} is {field.type}, which cannot be read exactly.", _hint(kind))


def _hint(kind: Any) -> str:
    if pa.types.is_floating(kind):
        return "Write it as text, DECIMAL or an integer: a float has lost its places already."
    if pa.types.is_timestamp(kind):
        return "Write it as text with its offset (2026-11-23T17:05:09+01:00), or as a UTC timestamp in microseconds."
    return "Write it as text, one row a line of the receipt."


def _decimal(value: Decimal) -> str:
    return format(value, "f")


def _boolean(value: bool) -> str:
    return "true" if value else "false"


def _instant(value: datetime) -> str:
    return value.astimezone(UTC).isoformat().replace("+00:00", "Z")


def _refuse_doubles(names: list[str], file: str) -> None:
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise Stop(f"{file} has the column {', '.join(twice)} more than once.", "Give each column its own name.")
