"""What the server must know of a statement: is it an INSERT with data, and in which format. Pure text."""

from __future__ import annotations

import re
from dataclasses import dataclass

_LEADING = re.compile(rb"(?:\s+|--[^\n]*(?:\n|$)|/\*.*?\*/)*", re.DOTALL)
_INSERT = re.compile(rb"INSERT\s+INTO\b", re.IGNORECASE)
# Up to the FORMAT clause or VALUES: names, backquoted names, and a bracketed column list.
_INSERT_FORMAT = re.compile(
    rb"(?P<head>INSERT\s+INTO\s+(?:TABLE\s+)?(?:FUNCTION\s+)?[^\s(]+\s*(?:\((?:[^()`\"]|`[^`]*`|\"[^\"]*\"|\([^()]*\))*\))?)\s*"
    rb"(?P<settings>SETTINGS\s+(?:(?!\bFORMAT\b|\bVALUES\b).)*?)?"
    rb"(?:FORMAT\s+(?P<format>\w+)|(?P<values>VALUES))",
    re.IGNORECASE | re.DOTALL,
)
_TRAILING_FORMAT = re.compile(rb"\bFORMAT\s+(\w+)\s*;?\s*$", re.IGNORECASE)
_NO_RESULT = re.compile(
    rb"(CREATE|DROP|ALTER|INSERT|SET|USE|RENAME|TRUNCATE|OPTIMIZE|ATTACH|DETACH|SYSTEM|EXCHANGE|DELETE)\b",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Statement:
    """`sql` is what the engine gets; an INSERT with data has its SETTINGS, `data` and their `input_format` apart."""

    sql: str
    settings: str = ""
    input_format: str | None = None
    data: bytes | memoryview = b""
    output_format: str | None = None
    returns_rows: bool = True


def parse(query: bytes, body: bytes) -> Statement:
    """Read a request: the URL's `query` and the body, which continue each other as in ClickHouse.

    In an INSERT the data begins after `FORMAT name` and one line end or blank, or after VALUES.
    """
    text = query + b"\n" + body if query and body else query or body
    start = _leading(text)
    if _INSERT.match(text, start):
        found = _INSERT_FORMAT.match(text, start)
        if found is not None:
            return _insert(text, found, len(query))
    sql = text.decode("utf-8").strip().rstrip(";").rstrip()
    trailing = _TRAILING_FORMAT.search(sql.encode())
    output = trailing[1].decode() if trailing else None
    return Statement(sql, output_format=output, returns_rows=not _NO_RESULT.match(text, start))


def _leading(text: bytes) -> int:
    found = _LEADING.match(text)
    return found.end() if found else 0


def _insert(text: bytes, found: re.Match[bytes], query_length: int) -> Statement:
    input_format = found["format"].decode() if found["format"] else "Values"
    at = found.end()
    if 0 < query_length <= at:
        at = query_length + 1  # the whole statement stood in the URL: the body is data alone
    elif text[at : at + 2] == b"\r\n":
        at += 2
    elif text[at : at + 1] in (b"\n", b" "):
        at += 1
    head, settings = found["head"].decode("utf-8").strip(), (found["settings"] or b"").decode("utf-8").strip()
    return Statement(head, settings, input_format, memoryview(text)[at:], returns_rows=False)
