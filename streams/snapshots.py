"""Writes snapshots of one partition's restock state, so that a start need not read the feed from its beginning.

In rounds. `take` copies what has changed since the last round, between two messages of the feed: all of it is of one
offset, up to which every alert has landed. `write` sends the copies while deciding goes on:

1. the sections that have changed and the index, into the slots that the acknowledged head does not name;
2. all of them are acknowledged;
3. the head is sent and acknowledged: from here on it is the one that a start goes on from;
4. once, after a writer's first head: tombstones for what was found of its predecessors.

A crash anywhere leaves the head of before with all that it names.
"""

from __future__ import annotations

import logging
import secrets
from collections.abc import Iterable
from dataclasses import dataclass, field

import msgspec

from kernel.records import LogRecord
from schemas.feed import Action, FeedMessage, Movement, Sales
from streams.agents import Outlet
from streams.framed import Message
from streams.records import fingerprint
from streams.restock.saved import LAYOUT, pieces_of_moves, save_common, save_moves, save_shop
from streams.restock.shop import Shop
from streams.restock.snapshot import (
    COMMON,
    INDEX,
    STORE,
    Head,
    Place,
    digest_of,
    head_message,
    index_of,
    moves_section,
    parts,
    place_of,
)
from streams.restock.state import RestockState
from streams.turns import Turns

log = logging.getLogger(__name__)

# A round is due once so much of the feed was taken up since the last one: a start reads as much in about a second.
LEAST_BYTES = 4 * 1024 * 1024
# And at least as much as the round will write, but for moves, of which each is written about twice: so snapshots grow
# in step with the feed even where a broker never compacts, and a start that reads all of them decides by none of it.
ITEM_BYTES = 450  # of an item that was not saved yet, about
KNOWN_BYTES = 100
# Are waited for before more is sent, which bounds what waits in the producer; a wait takes long while the loop is busy.
BYTES_AT_ONCE = 16 * 1024 * 1024
TOMBSTONES_AT_ONCE = 1_000


@dataclass(slots=True)
class Taken:
    """A copy of what has changed, by section, as of one offset of the feed; `names` are all sections there are."""

    applied: int
    fingerprint: int
    movements: int
    width: int
    grace: int
    names: list[str]
    sections: dict[str, bytes] = field(default_factory=dict)


class SnapshotWriter:
    """Of one partition in one assignment. `least` bytes of the feed are worth a round, LEAST_BYTES if None."""

    def __init__(self, partition: int, outlet: Outlet, least: int | None = None) -> None:
        self.partition = partition
        self.owner = secrets.token_hex(8)
        self.predecessors: list[bytes] = []
        self._outlet = outlet
        self._least = LEAST_BYTES if least is None else least
        self._places: dict[str, Place] = {}
        self._index: Place | None = None
        self._sizes: dict[str, int] = {}
        self._changed: set[str] = set()
        self._all_changed = True
        self._fed = 0
        self._landed = -1, 0

    def changing(self, message: FeedMessage) -> None:
        """A message is about to be decided by."""
        if isinstance(message, Sales | Movement | Action):
            self._changed.add(STORE + message.store_id)
        else:
            self._all_changed = True

    def landed(self, records: Iterable[LogRecord], applied: int) -> None:
        """Records of the feed were taken up, and all that came of them is acknowledged."""
        for record in records:
            self._fed += len(record.value or b"")
            if record.offset == applied:
                self._landed = applied, fingerprint(record.offset, record.key, record.value)

    def is_due(self, state: RestockState) -> bool:
        """Whether a round is worth what it costs."""
        return self._fed >= self._least and self._fed >= self._cost(state)

    def _cost(self, state: RestockState) -> int:
        """About how many bytes a round would write now."""
        names = self._names(state) if self._all_changed else self._changed
        return sum(self._sizes.get(name) or _guess(state, name) for name in names)

    def _names(self, state: RestockState) -> list[str]:
        return [COMMON, *(STORE + name for name in state.shops)]

    def _copy_moves(self, shop: Shop, into: dict[str, bytes]) -> None:
        """Those pieces that are other ones than the acknowledged head has."""
        for piece in range(pieces_of_moves(shop)):
            name, data = moves_section(shop.store_id, piece), save_moves(shop, piece)
            before = self._places.get(name)
            if before is None or before.digest != digest_of(data):
                into[name] = data

    async def take(self, state: RestockState) -> Taken | None:
        """Copy what has changed; None where nothing may be saved now. The state must not change meanwhile.

        Others get their turn in between.
        """
        applied, mark = self._landed
        if applied != state.applied:
            return None
        windows, names = state.windows, self._names(state)
        moves = [moves_section(name, n) for name, shop in state.shops.items() for n in range(pieces_of_moves(shop))]
        taken = Taken(applied, mark, state.movements, windows.width, windows.grace, [*names, *moves])
        wanted = names if self._all_changed else [name for name in names if name in self._changed]
        turns = Turns()
        self._fed = 0  # whatever comes of it: what cannot be saved is not tried again at once
        try:
            for name in wanted:
                if name == COMMON:
                    taken.sections[name] = save_common(state)
                else:
                    shop = state.shops[name.removeprefix(STORE)]
                    taken.sections[name] = save_shop(shop)
                    self._copy_moves(shop, taken.sections)
                await turns.give()
        except (OverflowError, ValueError, msgspec.MsgspecError) as fault:
            log.warning("restock, partition %d: no snapshot, %s cannot be saved: %s", self.partition, name, fault)
            return None
        self._changed, self._all_changed = set(), False
        return taken

    async def write(self, taken: Taken) -> None:
        """Send a round's copies, and make them the snapshot; one round at a time."""
        places = {name: self._places[name] for name in taken.names if name in self._places}
        waiting, size = [], 0
        for name, data in taken.sections.items():
            places[name] = place_of(data, taken.applied, self._places.get(name))
            self._sizes[name] = len(data)
            for message in parts(self.owner, name, places[name], data):
                waiting.append(message)
                size += len(message[1] or b"")
                if size >= BYTES_AT_ONCE:
                    await self._send(waiting)
                    waiting, size = [], 0
        index = index_of({name: places[name] for name in taken.names})
        place = place_of(index, taken.applied, self._index)
        await self._send([*waiting, *parts(self.owner, INDEX, place, index)])
        head = Head(
            LAYOUT, self.owner, taken.applied, taken.fingerprint, taken.movements, taken.width, taken.grace, place
        )
        await self._send([head_message(head)])
        self._places, self._index = places, place
        while self.predecessors:
            gone = self.predecessors[:TOMBSTONES_AT_ONCE]
            await self._send([(key, None, []) for key in gone])
            del self.predecessors[: len(gone)]

    async def _send(self, messages: list[Message]) -> None:
        await self._outlet.send("snapshots", self.partition, messages)
        await self._outlet.acknowledged()


def _guess(state: RestockState, name: str) -> int:
    if name == COMMON:
        return KNOWN_BYTES * len(state.known)
    shop = state.shops.get(name.removeprefix(STORE))
    return 0 if shop is None else ITEM_BYTES * len(shop.items)
