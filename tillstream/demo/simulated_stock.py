"""Simulated stock: what could have moved on a shelf whose sales are real receipts. Pure: of the same sales the same.

Whoever ordered here knew what would be sold, so that the books never sell what they have not; but for one part a shelf,
which shows what goes wrong. All moves at eight in the morning UTC, when these stores sell least.

    Wed 08:00          Mon 08:00      Tue 08:00       Wed 08:00
    opening count ───> order_placed ─> order_shipped ─> delivery ───> the next week
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Literal, NamedTuple

import msgspec

from tillstream.outgoing import Outgoing

_UNIX = datetime(1970, 1, 1, tzinfo=UTC)
HOUR = 3_600_000_000
DAY = 24 * HOUR
WEEK = 7 * DAY
MORNING = 8 * HOUR
# What everything simulated is called by: movements, receipts, and the store that does not exist.
SIMULATED = "simulated-"
# Units left when the next delivery comes; on a shelf that nobody refills; and claimed by the books of an empty one.
BUFFER, LEFT, CLAIMED = 1, 2, 6
# More than any real hour asks for, and less than lasts the lead time at the rush's rate.
BEFORE_THE_RUSH = 30

# replenished: ordered every week. late: so, and one delivery comes days too late. low: nobody orders. empty: nobody
# orders, and it is sold out. phantom: the books have stock, and nobody buys. rush: all at once everybody buys.
Part = Literal["replenished", "late", "low", "empty", "phantom", "rush"]


class Sale(NamedTuple):
    """Units of a receipt, and when (microseconds since the Unix epoch, UTC)."""

    occurred_at: int
    units: int


@dataclass(frozen=True, slots=True)
class Shelf:
    """A SKU in a store from its opening count on. `sales` are real, in their order; `late` is the week's delivery."""

    store_id: str
    sku: str
    part: Part
    opened_at: int
    ends_at: int
    sales: tuple[Sale, ...]
    late: int | None = None

    def sold(self, after: int, until: int) -> int:
        """Units that are sold after a moment, up to and with another."""
        return sum(sale.units for sale in self.sales if after < sale.occurred_at <= until)

    def next_sale(self, after: int) -> int:
        """When somebody buys next; the end where nobody does."""
        return next((sale.occurred_at for sale in self.sales if sale.occurred_at > after), self.ends_at)


class StockMove(NamedTuple):
    """A stock movement, in units and microseconds."""

    movement_id: str
    store_id: str
    sku: str
    kind: str
    quantity: int
    occurred_at: int
    expected_at: int | None = None
    order_id: str | None = None

    def outgoing(self) -> Outgoing:
        """As it goes into `stock.movements`."""
        told = {
            **self._asdict(),
            "quantity": str(self.quantity),
            "occurred_at": _text(self.occurred_at),
            "expected_at": None if self.expected_at is None else _text(self.expected_at),
        }
        value = msgspec.json.encode({name: cell for name, cell in told.items() if cell is not None})
        return Outgoing(self.store_id, self.occurred_at, value)


class Simulated(NamedTuple):
    """What moved on a shelf, by time, and what the books have in the end."""

    moves: list[StockMove]
    on_hand: int


def tracked_from(store_id: str, sku: str, first: int) -> StockMove:
    """A delivery before anything was counted: from here on restock learns how it sells, and says nothing yet."""
    return StockMove(f"{SIMULATED}delivery-{store_id}-{sku}-0", store_id, sku, "delivery", 1, first)


def simulate(shelf: Shelf) -> Simulated:
    """What moves on a shelf."""
    if shelf.part in ("replenished", "late"):
        return _Replenished(shelf).all()
    sold = shelf.sold(shelf.opened_at, shelf.ends_at)
    left = {"low": LEFT, "phantom": CLAIMED, "rush": BEFORE_THE_RUSH}.get(shelf.part, 0)
    return Simulated([_count(shelf, sold + left)], left)


def next_morning(moment: int) -> int:
    """The first eight o'clock at a moment or after it."""
    return -(-(moment - MORNING) // DAY) * DAY + MORNING


def _text(moment: int) -> str:
    return (_UNIX + timedelta(microseconds=moment)).isoformat()


def _count(shelf: Shelf, quantity: int) -> StockMove:
    name = f"{SIMULATED}count-{shelf.store_id}-{shelf.sku}"
    return StockMove(name, shelf.store_id, shelf.sku, "count", quantity, shelf.opened_at)


class _Replenished:
    """A shelf that is ordered for every week."""

    def __init__(self, shelf: Shelf) -> None:
        self._shelf = shelf
        self._moves: list[StockMove] = []

    def all(self) -> Simulated:
        shelf = self._shelf
        deliveries = range(shelf.opened_at + WEEK, shelf.ends_at, WEEK)
        on_hand = self._wanted(shelf.opened_at, shelf.opened_at)
        self._moves.append(_count(shelf, on_hand))
        for due in deliveries:
            comes = self._too_late(due) if due == shelf.late else due
            on_hand -= shelf.sold(due - WEEK, due)
            more = max(0, self._wanted(due, comes) - on_hand)
            if due + WEEK >= shelf.ends_at:
                more += 2 * shelf.sold(due - WEEK, due) + LEFT  # so that the year does not end with every shelf low
            if more:
                self._order(due, comes, more)
            on_hand += more
        return Simulated(self._moves, on_hand - shelf.sold(max(shelf.opened_at, *deliveries), shelf.ends_at))

    def _wanted(self, due: int, comes: int) -> int:
        """What must be there once a delivery has come: until the next one, and none is left if that one is late."""
        after = due + WEEK
        buffer = 0 if after == self._shelf.late else BUFFER
        return self._shelf.sold(comes, min(after, self._shelf.ends_at)) + buffer

    def _too_late(self, due: int) -> int:
        """The last morning before somebody wants it, or before the week after it."""
        before = min(self._shelf.next_sale(due), due + WEEK)
        return next_morning(before) - DAY

    def _order(self, due: int, comes: int, quantity: int) -> None:
        shelf = self._shelf
        name = f"{shelf.store_id}-{shelf.sku}-{(due - shelf.opened_at) // WEEK}"
        order = f"{SIMULATED}order-{name}"

        def move(kind: str, movement_id: str, at: int) -> StockMove:
            return StockMove(movement_id, shelf.store_id, shelf.sku, kind, quantity, at)

        self._moves += (
            move("order_placed", order, due - 2 * DAY)._replace(expected_at=due),
            move("order_shipped", f"{SIMULATED}shipped-{name}", due - DAY)._replace(order_id=order),
            move("delivery", f"{SIMULATED}delivery-{name}", comes)._replace(order_id=order),
        )
