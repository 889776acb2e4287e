"""Which copies of receipts were counted besides the first: pure, from what the ledger has of them.

The first message of an id counts: folded or, where its window had closed, as a late one that nobody precedes. A copy
counts only if it is folded: the window of the one counted before has closed, so that its id is forgotten, and the
copy's own is open. Both are judged by the store's watermark at the copy's offset.

Times in microseconds since the Unix epoch. Grace being a multiple of the window (as by default), this is exact.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

Id = tuple[str, bool]


class Message(NamedTuple):
    """A message of the ledger: its offset and `occurred_at`."""

    offset: int
    at: int


class Pair(NamedTuple):
    """Two messages of one id (transaction id, reversal or not) that both counted."""

    id: Id
    first: Message
    copy: Message


def counted_again(
    messages: Mapping[Id, Sequence[Message]], watermark: Callable[[int], int], width: int, grace: int
) -> list[Pair]:
    """Copies that counted, in offset order, of one store in one partition and epoch.

    `messages` has every message of each id in question; `watermark(offset)` is the largest time below an offset of
    the store's messages but the copies among `messages`.
    """

    def closes(at: int) -> int:
        return at - at % width + width + grace

    counted = {identity: min(found) for identity, found in messages.items()}
    copies = sorted((copy, identity) for identity, found in messages.items() for copy in sorted(set(found))[1:])
    newest = 0
    pairs = []
    for copy, identity in copies:
        first = counted[identity]
        if closes(first.at) <= max(watermark(copy.offset), newest) < closes(copy.at):
            pairs.append(Pair(identity, first, copy))
            counted[identity] = copy
            newest = max(newest, copy.at)
    return pairs
