"""What a policy under test is told, and what it answers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple, Protocol

from restock.shelves import Shelves


class Sale(NamedTuple):
    """A receipt's line of an item, as a till sends it."""

    second: int
    item: int
    units: int


class Order(NamedTuple):
    """Units of an item that are ordered."""

    item: int
    units: int


class Alarm(NamedTuple):
    """An alert at the end of an hour: of which rule, and how it stands."""

    rule: str
    state: str
    item: int


class Player(Protocol):
    """One policy in all stores. Items' stock and orders come as a supplier's and a store's own systems would tell."""

    def sold(self, hour: int, store: int, receipts: Mapping[int, int], sales: Sequence[Sale]) -> None:
        """What a store's tills send in an hour: receipts by the hour in which they occurred, and the items' lines."""

    def counted(self, item: int, second: int, units: int) -> None:
        """Somebody has counted."""

    def ordered(self, order: str, item: int, second: int, units: int, expected: int) -> None:
        """An order went out, and is expected at a moment."""

    def delivered(self, order: str, item: int, second: int, units: int, missing: int) -> None:
        """So much of an order has come, as booked; what is missing of it will not."""

    def promoted(self, sku: int, since: int, until: int) -> None:
        """A promotion from a second until another."""

    def orders(self, day: int, shelves: Shelves) -> list[Order]:
        """What it orders at the end of a day."""

    def alarms(self, hour: int, shelves: Shelves) -> list[Alarm]:
        """Alerts that have changed since it was asked."""
