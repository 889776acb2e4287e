"""What is on order for one SKU in one store, and at which stage each order is.

A function of the orders' movements by their own times, whatever order they arrive in: a delivery that arrives before
the order that it answers comes to the same. Quantities are hundred-thousandths, times microseconds.
"""

from __future__ import annotations

from bisect import insort
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Literal, NamedTuple

OrderKind = Literal["order_placed", "order_shipped", "order_cancelled", "delivery"]
Stage = Literal["placed", "in_transit", "late"]


class OrderMovement(NamedTuple):
    """A movement that concerns orders. `order_id` is the order that it answers; empty: the oldest that is open."""

    occurred_at: int
    movement_id: str
    kind: OrderKind
    quantity: int
    order_id: str = ""
    expected_at: int | None = None
    alert_id: str = ""


@dataclass(frozen=True, slots=True)
class Order:
    """An order that is open: `remaining` is what has neither been delivered nor cancelled of it."""

    order_id: str
    placed_at: int
    remaining: int
    expected_at: int | None = None
    alert_id: str = ""
    shipped: bool = False

    def stage(self, now: int) -> Stage:
        """Where it is at a moment. It is late once the moment at which it was expected has passed."""
        if self.expected_at is not None and now > self.expected_at:
            return "late"
        return "in_transit" if self.shipped else "placed"


def after(orders: Iterable[Order], movements: Iterable[OrderMovement]) -> list[Order]:
    """The open orders after movements in the order of their times; the oldest first.

    What is delivered or cancelled beyond what is open concerns no order: goods that nobody ordered are stock all the
    same, and `streams.restock.position` counts them.
    """
    open_orders = list(orders)
    for one in movements:
        if one.kind == "order_placed":
            open_orders.append(Order(one.movement_id, one.occurred_at, one.quantity, one.expected_at, one.alert_id))
            continue
        named = [at for at, order in enumerate(open_orders) if order.order_id == one.order_id] if one.order_id else []
        if one.kind == "order_shipped":
            for at in named or range(len(open_orders)):
                open_orders[at] = replace(
                    open_orders[at],
                    shipped=True,
                    expected_at=open_orders[at].expected_at if one.expected_at is None else one.expected_at,
                )
            continue
        left = one.quantity
        oldest_first = range(len(open_orders))
        # What is cancelled without a name is the newest order: the oldest is likely to be on its way.
        for at in named or (oldest_first if one.kind == "delivery" else reversed(oldest_first)):
            taken = min(left, open_orders[at].remaining)
            open_orders[at] = replace(open_orders[at], remaining=open_orders[at].remaining - taken)
            left -= taken
        open_orders = [order for order in open_orders if order.remaining > 0]
    return open_orders


@dataclass(slots=True)
class Orders:
    """The orders of one SKU in one store. `settled` is how they stood at the horizon, before which nothing comes in."""

    settled: list[Order] = field(default_factory=list)
    recent: list[OrderMovement] = field(default_factory=list)
    open: list[Order] = field(default_factory=list)

    def take(self, movement: OrderMovement) -> None:
        """Take up a movement, in whatever order they come."""
        insort(self.recent, movement)
        self.open = after(self.settled, self.recent)

    def settle(self, horizon: int) -> None:
        """Forget the single movements before a moment that no movement may precede any more."""
        if not self.recent or self.recent[0].occurred_at >= horizon:
            return
        past = [one for one in self.recent if one.occurred_at < horizon]
        self.settled = after(self.settled, past)
        del self.recent[: len(past)]

    @property
    def on_order(self) -> int:
        """How much is on order in all."""
        return sum(order.remaining for order in self.open)
