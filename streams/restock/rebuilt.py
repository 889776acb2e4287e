"""The state again from a snapshot's sections, a store at a time."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import count, takewhile

import msgspec

from streams.restock.saved import restore_common, restore_shop
from streams.restock.snapshot import COMMON, STORE, Damaged, Head, moves_section
from streams.restock.state import RestockState
from streams.windows import Windows


def rebuilt(head: Head, sections: Mapping[str, bytes], windows: Windows, partition: int) -> Iterator[RestockState]:
    """Yield the state after each section, the last time with all of them; raises Damaged where one is none.

    So that others get their turn in between: of 100,000 items it takes a second or two.
    """
    state = RestockState(windows, partition, head.applied, head.movements)
    try:
        restore_common(state, sections[COMMON])
        yield state
        for name, data in sections.items():
            if name.startswith(STORE):
                shop = restore_shop(state, data, _moves(sections, name.removeprefix(STORE)))
                state.shops[shop.store_id] = shop
                yield state
    except (msgspec.MsgspecError, ValueError, LookupError, OverflowError, TypeError) as fault:
        raise Damaged(f"what was saved cannot be read: {fault}") from fault


def _moves(sections: Mapping[str, bytes], store_id: str) -> bytes:
    pieces = (moves_section(store_id, piece) for piece in count())
    return b"".join(sections[name] for name in takewhile(sections.__contains__, pieces))
