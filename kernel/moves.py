"""The moves on one store's shelves that a count which is still to come may precede. See moves.c."""

from __future__ import annotations

from array import array

from kernel.buffers import address
from kernel.library import kernel

MOVE_WIDTH = 5
NO_RECEIPT = -1


class Moves:
    """Rows of the item's number, the moment, the quantity, the receipt's offset (NO_RECEIPT: no sale), units bought.

    Quantities are signed hundred-thousandths, moments microseconds. `many` rows of `numbers` are in use, `kept` were
    left when some were forgotten the last time.
    """

    __slots__ = ("kept", "many", "numbers")

    def __init__(self) -> None:
        self.numbers = array("q", bytes(8 * MOVE_WIDTH * 16))
        self.many = 0
        self.kept = 0

    @classmethod
    def of(cls, rows: array[int], kept: int) -> Moves:
        """The same again from its rows; raises ValueError where these are none."""
        if len(rows) % MOVE_WIDTH:
            raise ValueError("moves are rows of five numbers")
        found = cls()
        found.room(len(rows) // MOVE_WIDTH)
        found.numbers[: len(rows)] = rows
        found.many, found.kept = len(rows) // MOVE_WIDTH, kept
        return found

    def __eq__(self, other: object) -> bool:
        """Whether they hold the same rows."""
        return isinstance(other, Moves) and self.rows() == other.rows()

    __hash__ = None  # type: ignore[assignment]  # it changes

    def rows(self) -> array[int]:
        """All rows in use, one after the other."""
        return self.numbers[: self.many * MOVE_WIDTH]

    def room(self, more: int) -> int:
        """Where the rows begin, with room for so many more."""
        missing = (self.many + more) * MOVE_WIDTH - len(self.numbers)
        if missing > 0:
            self.numbers.frombytes(bytes(8 * max(missing, len(self.numbers))))
        return address(self.numbers)

    def add(self, item: int, at: int, quantity: int, offset: int) -> None:
        """One move, of which nothing was bought."""
        self.room(1)
        begin = self.many * MOVE_WIDTH
        self.numbers[begin : begin + MOVE_WIDTH] = array("q", (item, at, quantity, offset, 0))
        self.many += 1

    def total_after(self, item: int, at: int) -> int:
        """What moved of an item strictly after a moment."""
        return int(kernel().total_after(address(self.numbers), self.many, item, at))

    def take_back(self, item: int, until: int, oldest: int, counted_at: int) -> tuple[int, int]:
        """Take out an item's sales by receipts up to `until`, from a moment on: what they moved, and since a count."""
        taken = array("q", (0, 0))
        self.many = kernel().take_back(
            address(self.numbers), self.many, item, until, oldest, counted_at, address(taken)
        )
        return taken[0], taken[1]

    def bought_after(self, item: int, at: int) -> tuple[int, int]:
        """How often an item was bought after a moment, and how many units of it."""
        units = array("q", (0,))
        return int(kernel().bought_after(address(self.numbers), self.many, item, at, address(units))), units[0]

    def forget(self, horizon: int) -> None:
        """Forget what lies before a moment, once there is twice as much as was left the last time: that costs less."""
        if self.many < 2 * self.kept:
            return
        self.many = self.kept = kernel().forget_moves(address(self.numbers), self.many, horizon)
