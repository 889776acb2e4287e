"""Simulated stock: a shelf's movements from its sales, drawn as weeks that begin on Wednesdays at eight."""

from __future__ import annotations

from dataclasses import replace
from itertools import accumulate

from hypothesis import given
from hypothesis import strategies as st

from schemas import stock
from tillstream.demo.simulated_stock import (
    BUFFER,
    CLAIMED,
    DAY,
    HOUR,
    LEFT,
    MORNING,
    SIMULATED,
    WEEK,
    Sale,
    Shelf,
    next_morning,
    simulate,
)

WEDNESDAY = 17_471 * DAY + MORNING  # 2017-11-01 08:00 UTC


def shelf(*sold, part="replenished", weeks=3, late=None):
    """`sold` are (days after the first Wednesday, units)."""
    sales = tuple(Sale(WEDNESDAY + int(days * DAY), units) for days, units in sold)
    return Shelf("12", "milk", part, WEDNESDAY, WEDNESDAY + weeks * WEEK + HOUR, sales, late)


def told(one):
    """Day, kind and quantity of each movement."""
    return [((move.occurred_at - WEDNESDAY) / DAY, move.kind, move.quantity) for move in simulate(one).moves]


def books(one):
    """What the books have after each sale and movement, in their order; a count sets it."""
    found = simulate(one)
    kinds = {"count": 1, "delivery": 1}
    changes = [(move.occurred_at, move.quantity * kinds.get(move.kind, 0)) for move in found.moves]
    changes += [
        (sale.occurred_at, -sale.units) for sale in one.sales if one.opened_at < sale.occurred_at <= one.ends_at
    ]
    return list(accumulate(change for _, change in sorted(changes, key=lambda change: change[0])))


def test_each_week_is_ordered_for_on_monday_shipped_on_tuesday_and_there_on_wednesday():
    # day    0     2     5      6       7       9    12     13      14
    #      count  -3  placed shipped deliver   -4  placed shipped deliver
    assert told(shelf((2, 3), (9, 4), (16, 1))) == [
        (0, "count", 3 + BUFFER),
        (5, "order_placed", 4), (6, "order_shipped", 4), (7, "delivery", 4),
        (12, "order_placed", 1), (13, "order_shipped", 1), (14, "delivery", 1),
        (19, "order_placed", 2 * 1 + LEFT), (20, "order_shipped", 4), (21, "delivery", 4),
    ]  # fmt: skip


def test_a_delivery_too_late_comes_on_the_last_morning_before_somebody_buys_again():
    # day   0     1      5      7 due     10 delivered    11
    #     count  -5   placed    (none left)  delivery     -2
    due = WEDNESDAY + WEEK
    one = shelf((1, 5), (11, 2), part="late", late=due)
    moves = simulate(one).moves
    assert (moves[0].kind, moves[0].quantity) == ("count", 5)
    placed, _, delivered = moves[1:4]
    assert placed.expected_at == due
    assert delivered.occurred_at == WEDNESDAY + 10 * DAY
    assert delivered.order_id == placed.movement_id
    assert books(one)[1] == 0


def test_what_nobody_orders_runs_down_to_what_is_left_of_it():
    for part, left in (("low", LEFT), ("empty", 0), ("phantom", CLAIMED)):
        one = shelf((1, 5), (11, 2), part=part)
        assert told(one) == [(0, "count", 7 + left)]
        assert simulate(one).on_hand == left


def test_sales_at_the_very_moment_of_the_count_are_in_it():
    assert told(shelf((0, 9), (1, 1), part="empty")) == [(0, "count", 1)]


def test_every_movement_is_one_that_is_taken_up_and_says_that_it_is_simulated():
    for move in simulate(shelf((2, 3), (9, 4))).moves:
        sent = move.outgoing()
        taken = stock.decode(sent.value)
        assert taken.movement_id.startswith(SIMULATED)
        assert (taken.occurred_at, taken.store_id, taken.quantity) == (move.occurred_at, "12", move.quantity * 100_000)
        assert sent.store_id == taken.store_id


SALES = st.lists(st.tuples(st.floats(0.01, 40), st.integers(1, 9)), max_size=40).map(sorted)


@given(SALES, st.integers(1, 5))
def test_the_books_never_sell_what_they_have_not_and_end_as_is_told(sold, weeks):
    one = shelf(*sold, weeks=weeks)
    found = simulate(one)
    levels = books(one)
    assert min(levels) >= 0
    assert levels[-1] == found.on_hand
    assert simulate(replace(one)) == found
    ids = [move.movement_id for move in found.moves]
    assert len(set(ids)) == len(ids)


def test_a_morning_is_at_or_after_its_moment():
    assert next_morning(WEDNESDAY) == WEDNESDAY
    assert next_morning(WEDNESDAY + 1) == WEDNESDAY + DAY
