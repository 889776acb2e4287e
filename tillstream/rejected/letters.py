"""Dead letters, as the table `rejected` has them: find, read, and tell which can be sent again."""

from __future__ import annotations

import base64
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from clickhouse_connect.driver.client import Client

from schemas.deadletter import KEPT_BYTES
from schemas.errors import Stop
from tillstream.ch import answering

# Key and value as base64, since they may be bytes of any kind.
_COLUMNS = (
    "topic, partition, offset, reason, path, base64Encode(ifNull(key, '')), base64Encode(ifNull(value, '')),"
    " isNull(value), rejected_at"
)
_TOO_LARGE = "more than 1 MiB"
# A letter has up to 1 MiB.
A_PAGE = 50
_MOST_PARTITION, _MOST_OFFSET = 2**16, 2**63


@dataclass(frozen=True, slots=True)
class Letter:
    """A refused message. `value` is None where nothing was kept: a card number, or a row that a sink set aside."""

    topic: str
    partition: int
    offset: int
    reason: str
    path: str
    key: bytes
    value: bytes | None
    rejected_at: datetime

    @property
    def place(self) -> str:
        """Where the original stands: how people name a letter."""
        return f"{self.partition}:{self.offset}"

    @property
    def cut(self) -> bool:
        """Whether only the beginning of the original was kept."""
        return self.value is not None and len(self.value) == KEPT_BYTES and _TOO_LARGE in self.reason


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which letters: of one topic or all, of a reason or path (parts of them), or at places `partition:offset`."""

    topic: str | None = None
    reason: str | None = None
    path: str | None = None
    places: tuple[tuple[int, int], ...] = ()

    def condition(self) -> tuple[str, dict[str, Any]]:
        """SQL and its parameters."""
        parts: list[str] = []
        parameters: dict[str, Any] = {}
        if self.topic is not None:
            parts.append("topic = {topic:String}")
            parameters["topic"] = self.topic
        if self.reason is not None:
            parts.append("positionCaseInsensitiveUTF8(reason, {reason:String}) > 0")
            parameters["reason"] = self.reason
        if self.path is not None:
            parts.append("position(path, {path:String}) > 0")
            parameters["path"] = self.path
        if self.places:
            places = ", ".join(f"({partition}, {offset})" for partition, offset in self.places)
            parts.append(f"(partition, offset) IN ({places})")
        return " AND ".join(parts) or "true", parameters


def place_of(text: str) -> tuple[int, int]:
    """Partition and offset of `3:17`; raises Stop on what is none."""
    partition, colon, offset = text.partition(":")
    if colon and partition.isdecimal() and offset.isdecimal():
        place = int(partition), int(offset)
        if place[0] < _MOST_PARTITION and place[1] < _MOST_OFFSET:
            return place
    raise Stop(f"{text} is no place of a message.", "Write partition:offset, as `tillstream rejected list` shows it.")


def summary(client: Client, wanted: Wanted) -> list[dict[str, Any]]:
    """The wanted letters by topic, path and reason, the most frequent first."""
    where, parameters = wanted.condition()
    columns = (
        "topic, replaceRegexpAll(path, '[0-9]+', 'n') AS field, reason, uniqExact(epoch, partition, offset) AS messages"
    )
    query = f"SELECT {columns}, min(rejected_at), max(rejected_at) FROM dead_letters WHERE {where}"  # noqa: S608  # ours
    groups = "GROUP BY topic, field, reason ORDER BY messages DESC, reason LIMIT 100"
    rows = _ask(client, f"{query} {groups}", parameters)
    names = ("topic", "path", "reason", "messages", "first", "last")
    return [dict(zip(names, (*row[:4], _utc(row[4]), _utc(row[5])), strict=True)) for row in rows]


def count(client: Client, wanted: Wanted) -> int:
    """How many letters are wanted."""
    where, parameters = wanted.condition()
    query = f"SELECT uniqExact(epoch, topic, partition, offset) FROM dead_letters WHERE {where}"  # noqa: S608  # texts of ours
    found: int = _ask(client, query, parameters)[0][0]
    return found


def read(client: Client, wanted: Wanted, limit: int | None = None) -> Iterator[Letter]:
    """The wanted letters: the newest `limit` of them, newest first, or all of one topic in the order of its log."""
    where, parameters = wanted.condition()
    query = f"SELECT {_COLUMNS} FROM dead_letters WHERE {where}"  # noqa: S608  # likewise
    if limit is not None:
        yield from _letters(
            client, f"{query} ORDER BY rejected_at DESC, partition, offset DESC LIMIT {limit}", parameters
        )
        return
    after = (-1, -1)
    while True:
        page = f"{query} AND (toInt64(partition), toInt64(offset)) > ({after[0]}, {after[1]})"
        found = list(_letters(client, f"{page} ORDER BY partition, offset LIMIT {A_PAGE}", parameters))
        yield from found
        if len(found) < A_PAGE:
            return
        after = found[-1].partition, found[-1].offset


def _letters(client: Client, query: str, parameters: dict[str, Any]) -> Iterator[Letter]:
    for topic, partition, offset, reason, path, key, value, nothing, at in _ask(client, query, parameters):
        kept = None if nothing else base64.b64decode(value)
        yield Letter(topic, partition, offset, reason, path, base64.b64decode(key), kept, _utc(at))


def _ask(client: Client, query: str, parameters: dict[str, Any]) -> Sequence[Sequence[Any]]:
    """Rows of a query; raises Unavailable or Stop, whoever iterates and wherever."""
    with answering():
        return client.query(query, parameters=parameters).result_rows


def why_not_sendable(letter: Letter) -> str | None:
    """Why a letter's own bytes cannot be sent again, or None where they can be checked."""
    if letter.value is None:
        return "nothing of it was kept"
    if letter.cut:
        return "only its first 64 KiB were kept"
    return None


def one_line(value: bytes) -> bytes:
    """The message on one line of NDJSON: JSON has no line ends but between its tokens."""
    return value.replace(b"\r", b" ").replace(b"\n", b" ")


def _utc(moment: datetime) -> datetime:
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment
