"""The items of one store, in numbers that the kernel can reach: purchases go in by the thousand. See items.c.

Of an ITEM: `counted` says whether `on_hand` is known, as of the count at `counted_at` and all moves since; `applied` is
the receipts' offset up to which sales are in; `currency` its three letters as a number, 0 for none yet. `in_hour` are
the purchases in `hour` (since the Unix epoch), `hour_before` those in the one before it.

The rest is a copy of what the rules look at, written after each judgement: `watched` (UNWATCHED, WATCHED or NEVER),
`ask` (only Python may judge it), `low` (NO_ALERT, RAISED, ORDERED: how its alert for low stock stands), `worse_at` (the
revenue at risk a day from which that is more severe), the prior, and the policy (`reorder_point` is NaN where none is).
"""

from __future__ import annotations

import ctypes
from array import array
from collections.abc import Iterator, Sequence

from kernel.buffers import address, buffers
from kernel.library import DEMAND, ITEM, STORE, kernel
from kernel.moves import Moves
from kernel.tracked import SEED, TrackedSkus

NO_ALERT, RAISED, ORDERED = range(3)
UNWATCHED, WATCHED, NEVER = range(3)
PURCHASE_WIDTH = 5
_ROW_WIDTH = 6
# What a purchase takes in a text, at least: five digits and as many signs.
_SHORTEST = 10


def currency_number(code: str) -> int:
    """Three letters as one number, 0 for none."""
    return int.from_bytes(code.encode("ascii"), "big")


def currency_code(number: int) -> str:
    """The letters of such a number."""
    return number.to_bytes(3, "big").decode("ascii") if number else ""


class Table:
    """Where the kernel finds a store's items by their numbers; not part of what is known, and made anew for a copy."""

    __slots__ = ("_kept", "_running", "_skus", "_where", "names", "touched")

    def __init__(self) -> None:
        self.names: list[str] = []
        self.touched = array("b")
        self._where = array("q")
        self._running = array("q")
        self._kept: list[ITEM] = []
        self._skus: TrackedSkus | None = None

    def __deepcopy__(self, _: object) -> Table:
        """Addresses hold for one life of what they point to only."""
        return Table()

    def __len__(self) -> int:
        """How many items it knows."""
        return len(self.names)

    def add(self, sku: str, item: ITEM, running: DEMAND) -> None:
        """The next item, by its number."""
        self.names.append(sku)
        self._kept.append(item)
        self._where.append(ctypes.addressof(item))
        self._running.append(ctypes.addressof(running))
        self.touched.append(0)
        self._skus = None

    def run(self, number: int, running: DEMAND) -> None:
        """From here on another demand of an item is under way, which its owner keeps alive."""
        self._running[number] = ctypes.addressof(running)

    def take(self, text: bytes | memoryview, store: STORE, moves: Moves) -> list[int] | None:
        """Take up purchases as JSON: currency -> SKU -> PURCHASE_WIDTH numbers each, in the order of offsets.

        Returns the numbers of the items that have to be judged for it; None, with nothing done, where the text is
        unusual. Sets `touched` of those that were sold.
        """
        if self._skus is None:
            self._skus = TrackedSkus(self.names)
        raw, most = bytes(text), len(text) // _SHORTEST + 1
        moved = array("q", (moves.many,))
        where = moves.room(most)
        with buffers.lent("purchases", _ROW_WIDTH * most) as rows, buffers.lent("asked", most) as asked:
            many = kernel().take_purchases(
                raw, len(raw), ctypes.addressof(self._skus.table), SEED, address(self._where), address(self._running),
                ctypes.addressof(store), address(rows), where, address(moved), address(self.touched),
                address(asked),
            )  # fmt: skip
            moves.many = moved[0]
            return None if many < 0 else asked[:many].tolist()

    def sell(
        self, number: int, purchases: Sequence[int], currency: str, applied: int, store: STORE, moves: Moves
    ) -> None:
        """Take up purchases of one item in one currency, but those of receipts up to `applied`."""
        many = len(purchases) // PURCHASE_WIDTH
        where, numbers = moves.room(many), array("q", purchases)
        moves.many = kernel().sell_purchases(
            self._where[number], number, self._running[number], ctypes.addressof(store), currency_number(currency),
            applied, many, address(numbers), where, moves.many,
        )  # fmt: skip
        self.touched[number] = 1

    def not_calm(self, store: STORE, numbers: Sequence[int] | None = None) -> list[int]:
        """Which of some items, or of all, have to be judged as they stand now."""
        some = None if numbers is None else array("q", numbers)
        many = len(self) if some is None else len(some)
        with buffers.lent("asked", many) as asked:
            found = kernel().not_calm(
                many, None if some is None else address(some), address(self._where), address(self._running),
                ctypes.addressof(store), address(asked),
            )  # fmt: skip
            return asked[:found].tolist()

    def touch_all(self) -> None:
        """As if all were."""
        self.touched = array("b", b"\1" * len(self))

    def take_touched(self) -> Iterator[str]:
        """The SKUs that were touched since this was asked the last time."""
        at = -1
        while (at := bytes(self.touched).find(1, at + 1)) >= 0:
            self.touched[at] = 0
            yield self.names[at]
