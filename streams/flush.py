"""What a flush sends, and in which order: a pure machine that yields its numbered operations.

A crash may come between any two of them; each order that a test changes loses or doubles sales:

1. StoreWindow records, rows, counts, late lines and dead letters are sent;
2. all of them are acknowledged;
3. the PartitionRecord is sent and acknowledged: only now may anyone skip what it vouches for;
4. the chunk is acked and its offset committed;
5. tombstones for windows that an earlier PartitionRecord has closed, once a commit at or beyond it was
   accepted: an accepted commit shows that nobody else owned the partition in between and restored less.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, cast

import msgspec

from schemas import late as late_messages
from schemas.window import CountsMessage, Rows, WindowMessage
from streams.fold import Fold
from streams.records import encode_partition, encode_window, partition_key, window_key
from streams.state import PartitionState

Role = Literal["state", "windows", "late", "rejected"]
Message = tuple[bytes | None, bytes | None, list[tuple[str, bytes]]]

_encode = msgspec.json.Encoder().encode
_NO_HEADERS: list[tuple[str, bytes]] = []


@dataclass(frozen=True, slots=True)
class Send:
    """Send messages to the topic of a role, in the state's partition."""

    step: int
    role: Role
    messages: list[Message]


@dataclass(frozen=True, slots=True)
class Acknowledged:
    """Wait until every message sent so far is acknowledged."""

    step: int


@dataclass(frozen=True, slots=True)
class Commit:
    """Ack the chunk; `offset` is the next one to read."""

    step: int
    offset: int


Operation = Send | Acknowledged | Commit


def flush(state: PartitionState, fold: Fold, accepted: int) -> Iterator[Operation]:
    """Yield the operations of one flush; each must have been done before the next is asked for.

    `accepted` is the largest offset whose commit the broker has accepted from this owner (0: none yet).
    """
    yield Send(1, "state", _window_records(state, fold))
    yield Send(1, "windows", _rows(state, fold))
    if fold.late:
        yield Send(1, "late", [(_key(late.store_id), late_messages.encode(late), _NO_HEADERS) for late in fold.late])
    if fold.rejected:
        yield Send(1, "rejected", [(letter.key, letter.value, letter.headers()) for letter in fold.rejected])
    yield Acknowledged(2)
    record = (partition_key(state.partition, state.owner), encode_partition(state), _NO_HEADERS)
    yield Send(3, "state", [record])
    yield Acknowledged(3)
    yield Commit(4, state.applied + 1)
    tombstones = _tombstones(state, accepted)
    if tombstones:
        yield Send(5, "state", tombstones)
        yield Acknowledged(5)
        state.closed = [closed for closed in state.closed if closed.at >= accepted]


def _key(store_id: str) -> bytes:
    return store_id.encode()


def _window_records(state: PartitionState, fold: Fold) -> list[Message]:
    records: list[Message] = []
    for window in fold.touched:
        window.owners.add(state.owner)
        key = window_key(state.partition, window.store_id, window.start, state.owner)
        records.append((key, encode_window(window), _NO_HEADERS))
    return records


def _rows(state: PartitionState, fold: Fold) -> list[Message]:
    messages: list[Message] = []
    for window, parts in fold.touched.items():
        for part in parts:
            message = WindowMessage(
                state.epoch,
                state.partition,
                window.store_id,
                window.start,
                window.receipts,
                window.applied,
                cast("Rows", msgspec.Raw(part)),
            )
            messages.append((_key(window.store_id), _encode(message), _NO_HEADERS))
    counts = CountsMessage(state.epoch, state.partition, state.applied, state.counts, fold.published)
    messages.append((None, _encode(counts), _NO_HEADERS))
    return messages


def _tombstones(state: PartitionState, accepted: int) -> list[Message]:
    return [
        (window_key(state.partition, closed.store_id, closed.start, owner), None, _NO_HEADERS)
        for closed in state.closed
        if closed.at < accepted
        for owner in sorted(closed.owners)
    ]
