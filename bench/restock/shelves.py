"""What truly stands in the stores, and what the books say of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from restock.chain import Size


class Spell(NamedTuple):
    """A time in which an item's shelf was empty, in hours; `hidden` if the books had stock. `turned_away` are the units
    that customers wanted meanwhile."""

    number: int
    item: int
    since: int
    until: int
    hidden: bool
    turned_away: int


@dataclass(slots=True)
class _Open:
    number: int
    since: int
    turned_away: int = 0


class Shelves:
    """Units of each item on the shelf and in the back; `books` are what is counted, delivered and told to be sold.

    A count rules over what was sold before it and is told later, as in tillstream. `booked` are the books as they will
    be once all is told that has been sold: what they do not know for an hour hides nothing.
    """

    def __init__(self, size: Size) -> None:
        self.shelf = [0] * size.items
        self.back = [0] * size.items
        self.books = [0] * size.items
        self.booked = [0] * size.items
        self.counted_at = [0] * size.items
        self.spells: list[Spell] = []
        self._numbers = 0
        self._open: tuple[dict[int, _Open], dict[int, _Open]] = ({}, {})

    def empty(self, item: int) -> bool:
        """Whether nobody can buy it."""
        return self.shelf[item] == 0

    def hidden(self, item: int) -> bool:
        """Whether nobody can buy it, and the books do not know."""
        return self.shelf[item] == 0 and self.booked[item] > 0

    def spell(self, item: int, hidden: bool) -> int | None:
        """The number of the spell that an item is in."""
        found = self._open[hidden].get(item)
        return None if found is None else found.number

    def buy(self, item: int, units: int, hour: int) -> int:
        """A customer wants so many, and gets what there is; returns how many that is."""
        got = min(units, self.shelf[item])
        self.shelf[item] -= got
        self.booked[item] -= got
        self.note(item, hour)
        if got < units:
            for spells in self._open:
                if item in spells:
                    spells[item].turned_away += units - got
        return got

    def deliver(self, item: int, came: int, booked: int, behind: bool) -> None:
        """What has come is put on the shelf, with what was in the back, or left there."""
        self.shelf[item] += self.back[item]
        self.back[item] = came if behind else 0
        self.shelf[item] += 0 if behind else came
        self.books[item] += booked
        self.booked[item] += booked

    def told(self, item: int, units: int, second: int) -> None:
        """The books hear of a sale."""
        if second > self.counted_at[item]:
            self.books[item] -= units

    def count(self, item: int, second: int) -> int:
        """Somebody looks everywhere, fills the shelf and writes down what there is; returns that."""
        self.shelf[item] += self.back[item]
        self.back[item] = 0
        self.books[item] = self.booked[item] = self.shelf[item]
        self.counted_at[item] = second
        return self.shelf[item]

    def note(self, item: int, hour: int) -> None:
        """Begin or end the spells of an item that something has befallen."""
        for spells, lasts in zip(self._open, (self.empty(item), self.hidden(item)), strict=True):
            if lasts and item not in spells:
                self._numbers += 1
                spells[item] = _Open(self._numbers, hour)
            elif not lasts and item in spells:
                self._end(spells, item, hour)

    def close(self, hour: int) -> None:
        """End the spells that last."""
        for spells in self._open:
            for item in list(spells):
                self._end(spells, item, hour)

    def _end(self, spells: dict[int, _Open], item: int, hour: int) -> None:
        one = spells.pop(item)
        self.spells.append(Spell(one.number, item, one.since, hour, spells is self._open[1], one.turned_away))
