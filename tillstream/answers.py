"""Answers of ClickHouse to anybody's query, written by ClickHouse itself and passed on: exact, and of any length.

Times are RFC 3339 in UTC, decimals keep their places, bytes that are no UTF-8 are replaced.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, BinaryIO, NamedTuple

from clickhouse_connect.driver.client import Client
from clickhouse_connect.driver.exceptions import OperationalError
from urllib3.exceptions import HTTPError

_FORMAT = {
    "date_time_output_format": "iso",
    "format_csv_null_representation": "",
    "output_format_decimal_trailing_zeros": 1,
    "output_format_json_array_of_rows": 1,
    "output_format_json_quote_64bit_integers": 0,
    "output_format_json_quote_decimals": 1,
    "output_format_json_validate_utf8": 1,
    # So that an error in the middle is an error, and not the end of an answer that looks whole.
    "wait_end_of_query": 1,
}
_PIECE = 64 * 1024


class Answer(NamedTuple):
    """The first rows of an answer: a cell is text, a number, None, or a list or dict of these."""

    names: list[str]
    types: list[str]
    rows: list[list[Any]]
    more: bool


def first_rows(client: Client, query: str, most: int) -> Answer:
    """At most so many rows; ClickHouse computes no more than it must. Raises as clickhouse-connect does."""
    settings = {**_FORMAT, "max_result_rows": most + 1, "result_overflow_mode": "break"}
    with _stream(client, query, "JSONCompactEachRowWithNamesAndTypes", settings) as answer:
        lines = _lines(answer)
        names, types = next(lines, []), next(lines, [])
        rows = [row for row, _ in zip(lines, range(most + 1), strict=False)]
    return Answer(names, types, rows[:most], len(rows) > most)


def copy(client: Client, query: str, form: str, out: BinaryIO) -> None:
    """Write all of an answer to `out` in one of ClickHouse's formats, piece by piece."""
    with _stream(client, query, form, _FORMAT) as answer:
        while piece := answer.read(_PIECE):
            out.write(piece)
    out.flush()


@contextmanager
def _stream(client: Client, query: str, form: str, settings: dict[str, Any]) -> Iterator[Any]:
    try:
        answer: Any = client.raw_stream(query, fmt=form, settings=settings)
        try:
            yield answer
        finally:
            answer.close()
    except HTTPError as fault:  # the connection broke in the middle
        raise OperationalError(str(fault)) from None


def _lines(answer: Any) -> Iterator[list[Any]]:
    rest = b""
    while piece := answer.read(_PIECE):
        *whole, rest = (rest + piece).split(b"\n")
        for line in whole:
            if line:
                yield json.loads(line)
    if rest:
        yield json.loads(rest)
