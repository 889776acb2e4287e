"""What a flush sends, and in which order: a pure machine that yields its numbered operations.

A crash may come between any two of them; each order that a test changes loses or doubles sales:

1. StoreWindow records, rows, counts, late lines, dead letters and what restock is told are sent;
2. all of them are acknowledged;
3. the PartitionRecord is sent and acknowledged: only now may anyone skip what it vouches for;
4. the chunk is acked and its offset committed;
5. tombstones for windows that an earlier PartitionRecord has closed, once a commit at or beyond it was
   accepted: an accepted commit shows that nobody else owned the partition in between and restored less.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from operator import attrgetter
from typing import Literal

import msgspec

from kernel.tombstones import framed_tombstones
from schemas import late as late_messages
from schemas.window import CountsMessage
from streams.fold import Fold
from streams.framed import BATCH_BYTES, Framed, Message
from streams.records import encode_partition, partition_key, window_key
from streams.state import PartitionState

TOMBSTONES = 5  # the step

Role = Literal["state", "windows", "late", "rejected", "feed", "alerts", "positions", "snapshots"]

_encode = msgspec.json.Encoder().encode
_at = attrgetter("at")
_NO_HEADERS: list[tuple[str, bytes]] = []


@dataclass(frozen=True, slots=True)
class Send:
    """Send messages to the topic of a role, in the state's partition."""

    step: int
    role: Role
    messages: Sequence[Message]


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
    if fold.told:
        # First: a client has one request under way at a broker, and an alert should not wait for what is larger.
        yield Send(1, "feed", fold.told)
    yield Send(1, "state", Framed(fold.records))
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
    gone = bisect_left(state.closed, accepted, key=_at)
    if gone:
        yield Send(5, "state", _tombstones(state, gone))
        yield Acknowledged(5)
        del state.closed[:gone]


def _key(store_id: str) -> bytes:
    return store_id.encode()


def _rows(state: PartitionState, fold: Fold) -> Framed:
    counts = CountsMessage(state.epoch, state.partition, state.applied, state.counts, fold.published)
    return Framed(fold.messages).and_then(None, _encode(counts))


def _tombstones(state: PartitionState, many: int) -> Framed:
    """Those of the windows that closed first."""
    keys: list[bytes] = []
    for closed in state.closed[:many]:
        if closed.owners is state.own and closed.key is not None:  # nearly always
            keys.append(closed.key)
        else:
            keys += (window_key(state.partition, closed.store_id, closed.start, own) for own in sorted(closed.owners))
    return Framed(framed_tombstones(keys, BATCH_BYTES))
