"""What is on hand of one SKU in one store.

The latest count by its own time rules: what moved strictly after its moment comes on top, whenever it arrives; what
moved before does not. Quantities are hundred-thousandths, times microseconds.

             count 10           count 7, counted at 14:00, arrives last
    sales  ────┼────1────2────────┼───────1────────────>      on hand = 7 - 1
             09:00              14:00
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from kernel.library import ITEM
from kernel.moves import NO_RECEIPT, Moves


@dataclass(slots=True, eq=False)
class Position:
    """Of the item with a `number` in its store; `moves` are the store's that a count which is to come may precede.

    `numbers` are the item's: on hand, and when it was counted.
    """

    numbers: ITEM
    number: int
    moves: Moves

    @property
    def on_hand(self) -> int | None:
        """None until the first count: deliveries alone do not tell what stood there before."""
        return self.numbers.on_hand if self.numbers.counted else None

    def move(self, occurred_at: int, quantity: int, offset: int = NO_RECEIPT) -> None:
        """Goods that came (positive) or went (negative)."""
        self.moves.add(self.number, occurred_at, quantity, offset)
        if self.numbers.counted and occurred_at > self.numbers.counted_at:
            self.numbers.on_hand += quantity

    def count(self, occurred_at: int, quantity: int) -> None:
        """Somebody counted; of two counts of the same moment the one that arrives later rules."""
        numbers = self.numbers
        if numbers.counted and occurred_at < numbers.counted_at:
            return
        numbers.counted, numbers.counted_at = 1, occurred_at
        numbers.on_hand = quantity + self.moves.total_after(self.number, occurred_at)

    def replace_sales(self, until: int, oldest: int, totals: Iterable[tuple[int, int]]) -> int:
        """Put totals of windows, as (moment, quantity), in the place of the sales whose offset is at most `until`.

        Only those from `oldest` on: the totals speak of no other. Returns what that changes in all.
        """
        gone, since_count = self.moves.take_back(self.number, until, oldest, self.numbers.counted_at)
        if self.numbers.counted:
            self.numbers.on_hand -= since_count
        changed = -gone
        for at, quantity in totals:
            self.move(at, quantity, until)
            changed += quantity
        return changed
