"""Which topics are kept, and in which order: a message gets into the journal after those that it speaks of.

So whatever a crash leaves is a beginning of what happened. Were the feed ahead of the receipts, others would come to
stand at offsets of which the feed has told, and be passed over as told; likewise movements in the place of others, and
alerts in the place of those that were sent; a webhook would carry another alert than the one it was made for; and
restock would go on from a snapshot of messages that are gone, or past alerts that are.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterable, Sequence

from schemas.topics import ALERTS, DELIVERIES, EPOCHS, FEED, RECEIPTS, SNAPSHOTS, STOCK
from tillstream.local.journal.batch import Batch
from tillstream.local.journal.recovery import Place

# A message speaks of messages of the level before its own: a sale of its receipt, an alert of the feed's message. A
# snapshot says that all up to a message of the feed has come about: the alerts, too.
LEVELS = ((RECEIPTS, STOCK, EPOCHS), (FEED,), (ALERTS,), (DELIVERIES, SNAPSHOTS))
JOURNALED = tuple(topic for level in LEVELS for topic in level)

# Given a level, and what was read of it: what has come up to now, piece by piece.
ReadOn = Callable[[int, Sequence[Batch]], AsyncIterator[list[Batch]]]


def levels(prefix: str, places: Iterable[Place]) -> list[list[Place]]:
    """The places of each level."""
    known = list(places)
    return [[place for place in known if place[0].removeprefix(prefix) in level] for level in LEVELS]


async def in_order(
    read: Iterable[Batch], places: Sequence[Sequence[Place]], read_on: ReadOn
) -> AsyncIterator[list[Batch]]:
    """What is to be written, piece by piece, each of which may be the last that a crash leaves.

    Nothing tells in which order the topics of one answer were looked at, and an answer ends where it is large. So of
    every level that goes before one of which something was read, all that is there by now is read as well.
    """
    level_of = {place: number for number, level in enumerate(places) for place in level}
    held: list[list[Batch]] = [[] for _ in places]
    for one in read:
        held[level_of[one.topic, one.partition]].append(one)
    speaks = False
    for number in range(len(held) - 1, 0, -1):
        # Also where the level in between has nothing new: a snapshot is of the feed, whether that raised alerts or not.
        speaks = speaks or bool(held[number])
        if not speaks:
            continue
        async for more in read_on(number - 1, held[number - 1]):
            held[number - 1] += more
            if number == 1 and held[0]:  # what speaks of nothing need not be held, however much it is
                yield held[0]
                held[0] = []
    for found in held:
        if found:
            yield found
