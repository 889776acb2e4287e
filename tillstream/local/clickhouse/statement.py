"""What the server must know of a statement: is it an INSERT with data, and in which format. Pure text."""

from __future__ import annotations

import re
from dataclasses import dataclass

# Possessive throughout, and ended by the text's end too: no text makes these go back and forth.
_STRING = rb"'(?:[^'\\]|\\.|'')*+(?:'|\Z)"
_QUOTED = rb"(?:`(?:[^`\\]|\\.|``)*+(?:`|\Z)|\"(?:[^\"\\]|\\.|\"\")*+(?:\"|\Z))"
_COMMENT = rb"(?:--[^\n]*+(?:\n|\Z)|/\*.*?(?:\*/|\Z))"
_GAP = rb"(?:\s|" + _COMMENT + rb")"
_NAME = rb"(?:" + _QUOTED + rb"|[^\s.(`\"]++)"
# Within brackets: names of columns, or a table function's arguments; one more pair may stand in them.
_INSIDE = rb"(?:" + _STRING + rb"|" + _QUOTED + rb"|[^()`\"']|\([^()]*+\))"
# Settings end where the data or a query begins.
_SETTING = rb"(?:" + _STRING + rb"|(?!\b(?:FORMAT|VALUES|SELECT|WITH|FROM)\b)[^'])"
_INSERT = re.compile(
    _GAP + rb"*+(?P<head>INSERT" + _GAP + rb"++INTO" + _GAP + rb"++(?:TABLE" + _GAP + rb"++)?(?:FUNCTION" + _GAP
    + rb"++)?" + _NAME + rb"(?:" + _GAP + rb"*+\." + _GAP + rb"*+" + _NAME + rb")?"
    + rb"(?:" + _GAP + rb"*+\(" + _INSIDE + rb"*+\))?)" + _GAP + rb"*+"
    + rb"(?:(?P<settings>SETTINGS" + _GAP + _SETTING + rb"*+))?"
    + rb"(?:FORMAT" + _GAP + rb"++(?P<format>\w++)|(?P<values>VALUES\b))",
    re.IGNORECASE | re.DOTALL,
)  # fmt: skip
_QUIET = re.compile(rb"(?P<comment>" + _COMMENT + rb")|" + _STRING + rb"|" + _QUOTED, re.DOTALL)
_OUTPUT = re.compile(rb"\bFORMAT\s+(\w+)(?:\s+SETTINGS\b[^()]*+)?[\s;]*+\Z", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Statement:
    """`sql` is what the engine gets; an INSERT with data has its SETTINGS, `data` and their `input_format` apart."""

    sql: str
    settings: str = ""
    input_format: str | None = None
    data: bytes | memoryview = b""
    output_format: str | None = None


def parse(query: bytes, body: bytes) -> Statement:
    """Read a request: the URL's `query` and the body, which continue each other as in ClickHouse.

    In an INSERT the data begins after `FORMAT name`, blanks and one line end, or after VALUES. Raises
    UnicodeDecodeError where anything but data is not UTF-8.
    """
    text = query + b"\n" + body if query and body else query or body
    found = _INSERT.match(text)
    if found is not None:
        return _insert(text, found)
    sql = text.strip().rstrip(b";").rstrip()
    return Statement(sql.decode("utf-8"), output_format=_output_format(sql))


def _output_format(sql: bytes) -> str | None:
    """The format that a query ends with; one that stands in a string or a comment is text."""
    bare = _QUIET.sub(lambda found: b" " if found["comment"] else b"''", sql)
    found = _OUTPUT.search(bare)
    return found[1].decode() if found else None


def _insert(text: bytes, found: re.Match[bytes]) -> Statement:
    at = found.end()
    while text[at : at + 1] in (b" ", b"\t", b"\f"):
        at += 1
    if text[at : at + 2] == b"\r\n":
        at += 2
    elif text[at : at + 1] == b"\n":
        at += 1
    return Statement(
        found["head"].decode("utf-8"),
        (found["settings"] or b"").decode("utf-8").strip(),
        found["format"].decode() if found["format"] else "Values",
        memoryview(text)[at:],
    )
