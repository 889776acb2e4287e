"""Which receipts a store has in its open windows, and which of a chunk's receipts are among them. See seen.c."""

from __future__ import annotations

import secrets
from array import array
from collections.abc import Iterable, Sequence

from kernel.buffers import address, buffers
from kernel.library import kernel
from kernel.reading import IDENTITY, KIND, Reading

# The start of no window.
NOWHERE = -(1 << 63)
_EMPTY = array("q", [0, NOWHERE])
# Nobody outside may know where a receipt comes to stand in a table.
_SEED = secrets.randbits(64)


class Seen:
    """A store's receipts that were counted: each one's hash, and the start of the window that it stands in.

    Those of windows that have closed are in it until it is copied: who finds one asks whether its window is open.
    """

    __slots__ = ("places", "table", "used")

    def __init__(self) -> None:
        self.places = 0
        self.table = array("q")
        self.used = 0

    def make_room(self, many: int, oldest: int) -> None:
        """Have room for more; what stands in windows that begin before `oldest` may go."""
        if 3 * (self.used + many) <= 2 * self.places:
            return
        self.used = kernel().count_seen(self.places, address(self.table), oldest)
        places = 1 << (2 * (self.used + many)).bit_length()
        table = _EMPTY * places
        kernel().copy_seen(self.places, address(self.table), oldest, address(table), places - 1, _SEED)
        self.table, self.places = table, places

    def note(self, hashes: Sequence[int], starts: Iterable[int]) -> None:
        """Take receipts, each with the start of its window."""
        many = len(hashes)
        self.make_room(many, NOWHERE + 1)
        _note(many, array("Q", hashes), array("q", starts), array("q", bytes(8 * many)), [self])


class Stores:
    """The stores of a chunk's receipts, by number in the order in which they come.

    `names` are their ids, `counts` how many receipts each has. Of each receipt `numbers` has its store, -1 where it was
    not read, and `twins` the place of the last one before it in the chunk with its identity and store, or -1.
    """

    def __init__(self, reading: Reading) -> None:
        many = reading.many
        self._reading = reading
        self._numbers, twins, firsts, counts = (array("q", bytes(8 * many)) for _ in range(4))
        places = 1 << (2 * many).bit_length()
        with buffers.lent("stores", places) as index:
            found = kernel().number_stores(
                many,
                reading.where(KIND),
                reading.where(IDENTITY),
                reading.records.text,
                address(reading.records.places),
                _SEED,
                places - 1,
                address(index),
                address(self._numbers),
                address(firsts),
                address(counts),
                address(twins),
            )
        self.numbers, self.twins = self._numbers.tolist(), twins.tolist()
        self.counts = counts[:found].tolist()
        self.names = [reading.records[at].key or b"" for at in firsts[:found]]

    def find(self, seen: Sequence[Seen | None]) -> list[int]:
        """The start of the window that each receipt stands in already, or NOWHERE; `seen` is by store."""
        found = array("q", bytes(8 * self._reading.many))
        _find(self._reading.many, self._reading.where(IDENTITY), self._numbers, seen, found)
        return found.tolist()

    def note(self, seen: Sequence[Seen | None], starts: array[int]) -> None:
        """Take the receipts whose start is not NOWHERE; their stores have made room."""
        _note(self._reading.many, self._reading.where(IDENTITY), starts, self._numbers, seen)


def _tables(seen: Sequence[Seen | None]) -> tuple[array[int], array[int]]:
    return (
        array("q", [0 if one is None or not one.places else address(one.table) for one in seen]),
        array("q", [0 if one is None else one.places - 1 for one in seen]),
    )


def _find(many: int, hashes: int, numbers: array[int], seen: Sequence[Seen | None], starts: array[int]) -> None:
    tables, masks = _tables(seen)
    kernel().find_seen(many, hashes, address(numbers), address(tables), address(masks), _SEED, address(starts))


def _note(
    many: int, hashes: int | array[int], starts: array[int], numbers: array[int], seen: Sequence[Seen | None]
) -> None:
    tables, masks = _tables(seen)
    used = array("q", [0 if one is None else one.used for one in seen])
    where = hashes if isinstance(hashes, int) else address(hashes)
    kernel().note_seen(
        many, where, address(starts), address(numbers), address(tables), address(masks), _SEED, address(used)
    )
    for one, now in zip(seen, used, strict=True):
        if one is not None:
            one.used = now
