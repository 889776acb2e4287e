"""Receipts in files: NDJSON, CSV and Parquet, read in bounded memory.

NDJSON has one receipt a line and is handed on byte for byte. CSV and Parquet have one row a line of the receipt,
the receipt's and the line's fields side by side, rows of one transaction_id of a store after each other; nothing is
inferred from text, so leading zeros stay, and empty is absent (tillstream.file_rows, tillstream.file_receipts).
"""

from __future__ import annotations

import io
import sys
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import BinaryIO

import pyarrow as pa

from schemas.errors import Refused, Stop
from tillstream.file_receipts import FIELDS, receipts_of_rows
from tillstream.file_rows import Rows, csv_rows, parquet_rows

STDIN = "-"
# A longer line is no receipt, whatever it holds; the rest of it is skipped, so that memory stays bounded.
LONGEST_LINE = 4 * 1024 * 1024 - 4096

_PACKED = {".gz": "gzip", ".zst": "zstd"}
_NDJSON = {".ndjson", ".jsonl", ".json"}
_CSV = {".csv"}
_PARQUET = {".parquet", ".pq"}
_KINDS = "Name it .ndjson, .jsonl, .csv (each also with .gz or .zst) or .parquet; `-` reads NDJSON from standard input."


def read_receipts(path: str | Path) -> Iterator[tuple[int, bytes | Refused]]:
    """Each receipt's JSON with the line of the file where it starts (in Parquet: the row, from 1).

    Refused stands for a receipt that has no JSON because its rows contradict each other. Raises Stop, with the line,
    where the file as a whole cannot be read on: missing, of an unknown kind, damaged, without a required column.
    """
    if is_table(path):
        with open_rows(path, FIELDS) as rows:
            yield from receipts_of_rows(rows, str(path))
    else:
        yield from read_lines(path)


def open_rows(path: str | Path, known: Collection[str]) -> Rows:
    """The rows of a CSV or Parquet file, whose `known` columns are read exactly, as text; raises Stop."""
    if _kind(path) == "parquet":
        return parquet_rows(_existing(path), known)
    return csv_rows(_open(path), str(path))


def read_lines(path: str | Path) -> Iterator[tuple[int, bytes]]:
    """The lines of a text file that are not blank, without their ends, numbered from 1; raises Stop."""
    number = 0
    stream = _open(path)
    try:
        while line := stream.readline(LONGEST_LINE):
            number += 1
            if len(line) == LONGEST_LINE and not line.endswith(b"\n"):
                _skip_line(stream)
            if number == 1:
                line = line.removeprefix(b"\xef\xbb\xbf")
            line = line.rstrip(b"\r\n")
            if line.strip():
                yield number, line
    except (OSError, EOFError, pa.ArrowException) as fault:
        raise Stop(f"{path} cannot be read on after line {number}: {fault}") from None
    finally:
        if stream is not sys.stdin.buffer:
            stream.close()


def is_table(path: str | Path) -> bool:
    """Whether a file holds rows and columns; raises Stop where its kind is unknown."""
    return _kind(path) != "ndjson"


def _kind(path: str | Path) -> str:
    if str(path) == STDIN:
        return "ndjson"
    suffixes = [suffix.lower() for suffix in Path(path).suffixes]
    packed = bool(suffixes) and suffixes[-1] in _PACKED
    suffix = suffixes[-2] if packed and len(suffixes) > 1 else suffixes[-1] if suffixes else ""
    if suffix in _NDJSON:
        return "ndjson"
    if suffix in _CSV:
        return "csv"
    if suffix in _PARQUET and not packed:
        return "parquet"
    raise Stop(f"{path} is of a kind that is not known.", _KINDS)


def _existing(path: str | Path) -> Path:
    if not Path(path).is_file():
        raise Stop(f"{path} is no file.")
    return Path(path)


def _open(path: str | Path) -> BinaryIO:
    if str(path) == STDIN:
        return sys.stdin.buffer
    packed = _PACKED.get(_existing(path).suffix.lower())
    try:
        if packed is None:
            return Path(path).open("rb")
        return io.BufferedReader(pa.input_stream(str(path), compression=packed), 1 << 20)
    except OSError as fault:
        raise Stop(f"{path} cannot be opened: {fault.strerror or fault}") from None


def _skip_line(stream: BinaryIO) -> None:
    while rest := stream.readline(LONGEST_LINE):
        if rest.endswith(b"\n"):
            return
