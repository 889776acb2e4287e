"""What is on hand of one SKU in one store.

The latest count by its own time rules: what moved strictly after its moment comes on top, whenever it arrives; what
moved before does not. Quantities are hundred-thousandths, times microseconds.

             count 10           count 7, counted at 14:00, arrives last
    sales  ────┼────1────2────────┼───────1────────────>      on hand = 7 - 1
             09:00              14:00
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field


@dataclass(slots=True)
class Position:
    """`on_hand` is None until the first count: deliveries alone do not tell what stood there before.

    `recent` are the moves that a count which is still to come may precede: (moment, quantity, offset), signed, with
    the receipt's offset or -1 for what is no sale.
    """

    on_hand: int | None = None
    counted_at: int = 0
    recent: list[tuple[int, int, int]] = field(default_factory=list)

    def move(self, occurred_at: int, quantity: int, offset: int = -1) -> None:
        """Goods that came (positive) or went (negative)."""
        self.recent.append((occurred_at, quantity, offset))
        if self.on_hand is not None and occurred_at > self.counted_at:
            self.on_hand += quantity

    def count(self, occurred_at: int, quantity: int) -> None:
        """Somebody counted; of two counts of the same moment the one that arrives later rules."""
        if self.on_hand is not None and occurred_at < self.counted_at:
            return
        self.counted_at = occurred_at
        self.on_hand = quantity + sum(moved for at, moved, _ in self.recent if at > occurred_at)

    def replace_sales(self, until: int, since: Callable[[int], bool], totals: Iterable[tuple[int, int]]) -> int:
        """Put totals of windows, as (moment, quantity), in the place of the sales whose offset is at most `until`.

        Only those for whose moment `since` says yes: the totals speak of no other. Returns what that changes in all.
        """
        gone = [one for one in self.recent if 0 <= one[2] <= until and since(one[0])]
        self.recent = [one for one in self.recent if not (0 <= one[2] <= until and since(one[0]))]
        if self.on_hand is not None:
            self.on_hand -= sum(quantity for at, quantity, _ in gone if at > self.counted_at)
        changed = -sum(quantity for _, quantity, _ in gone)
        for at, quantity in totals:
            self.move(at, quantity, until)
            changed += quantity
        return changed

    def settle(self, horizon: int) -> None:
        """Forget the single moves before a moment that no count may precede any more."""
        if self.recent and any(at < horizon for at, *_ in self.recent):
            self.recent = [one for one in self.recent if one[0] >= horizon]
