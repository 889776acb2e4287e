"""The kernel's part of restock against the Python that says what it means."""

import math
import random
from array import array

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kernel.items import PURCHASE_WIDTH, Table
from kernel.library import ITEM, STORE
from kernel.moves import Moves
from schemas.feed import Sales, purchases_in, purchases_of
from streams.restock.decide import decide
from streams.restock.demand import UNIT, Demand
from streams.restock.item import Item
from streams.restock.trading import HOUR, Trading
from tests.unit.streams.restock.feeds import MONDAY
from tests.unit.streams.restock.stories import STEPS, Story, new_state

RUNS = settings(max_examples=150, deadline=None)


def a_store(done, now=MONDAY):
    return STORE(now=now, done=done)


def told(steps):
    story = Story()
    for step in steps:
        story.step(step)
    return story


def decisions(log):
    """What is decided by a log, alerts and refusals by offset, and what is known in the end."""
    state, found = new_state(), []
    for offset, message in enumerate(log):
        done = decide(state, offset, message)
        found.append((done.alerts, done.refused))
    return found, state


def known(state):
    """Of each item, what alerts come of; when it was last tidied up is not among it."""
    return [
        (shop.store_id, one.sku, one.position.on_hand, bytes(one.demand), one.promotion, one.orders.open, one.episodes)
        for shop in state.shops.values()
        for one in shop.items.values()
    ]


@RUNS
@given(STEPS)
def test_what_the_kernel_leaves_unjudged_could_have_brought_about_nothing(steps):
    story, quick = told(steps), Table.not_calm
    wanted, state = decisions(story.log)
    take = Table.take

    def every_one_sold(self, text, store, moves):
        """As `take`, but all that were sold are to be judged."""
        before, self.touched = bytes(self.touched), array("b", bytes(len(self)))
        take(self, text, store, moves)
        sold = [number for number, one in enumerate(self.touched) if one]
        self.touched = array("b", [a | b for a, b in zip(before, self.touched, strict=True)])
        return sold

    try:
        Table.take = every_one_sold
        Table.not_calm = lambda self, store, numbers=None: (
            [quick(self, store, numbers)] and list(range(len(self)) if numbers is None else numbers)
        )
        found, eager = decisions(story.log)
    finally:
        Table.take, Table.not_calm = take, quick
    assert found == wanted
    assert known(eager) == known(state)


@RUNS
@given(STEPS)
def test_what_the_kernel_does_not_read_is_decided_alike(steps):
    story, take = told(steps), Table.take
    wanted, state = decisions(story.log)
    try:
        Table.take = lambda self, text, store, moves: None
        found, slow = decisions(story.log)
    finally:
        Table.take = take
    assert found == wanted
    assert [shop.items for shop in slow.shops.values()] == [shop.items for shop in state.shops.values()]


@pytest.mark.parametrize("seed", range(5))
def test_purchases_teach_the_kernel_what_they_teach_python(seed):
    chance, moves, table = random.Random(seed), Moves(), Table()
    item, plain = Item("a", 0, moves), Demand()
    table.add("a", item.numbers, item.demand)
    item.applied, clock = -1, 0.0
    for offset in range(400):
        clock += chance.choice([0.0, chance.expovariate(1.0), chance.expovariate(0.02)])
        units, revenue = chance.choice([-3, -1, 1, 1, 2, 7]) * UNIT // chance.choice([1, 3]), chance.randrange(50_000)
        table.sell(0, [offset, MONDAY, units, 0, revenue], "NOK", -1, a_store(clock), moves)
        plain.bought(clock, units, revenue)
        plain.observe(clock)
        assert item.demand == plain
    assert item.applied == 399
    assert item.currency == "NOK"


def test_a_text_that_is_unusual_is_left_alone():
    moves, table = Moves(), Table()
    item = Item("a", 0, moves)
    table.add("a", item.numbers, item.demand)
    item.applied = -1
    before = bytes(item.numbers)
    for text in (
        b'{"NOK":{"a":[1,2,3,4,5]},"SEK":{"a":[1,2,3,4,5]}}', b'{"NOK":{"\\u0061":[1,2,3,4,5]}}',
        b'{"NOK":{"a":[1,2]}}',
        b'{"NOK":{"a":[1,2,3,4,9999999999999999999]}}', b'{"NOK":{"a":[1,2,3,4,5.0]}}', b'{"NOK":{"a":[1,2,3,4,5]}}x',
        b'{"NOK":{"a":[1,2,3,4,5]', b"[]", b"", b'{"NOKK":{"a":[1,2,3,4,5]}}',
    ):  # fmt: skip
        assert table.take(text, a_store(1.0), moves) is None
        assert (bytes(item.numbers), moves.many, bytes(table.touched)) == (before, 0, b"\0")
    assert table.take(b'{"NOK":{"b":[1,2,3,4,5],"a":[1,2,300000,0,5]}}', a_store(1.0), moves) == [0]
    assert (item.demand.units, moves.many, item.applied) == (3.0, 1, 1)


_ROWS = st.lists(
    st.tuples(st.integers(0, 2), st.integers(0, 9), st.integers(-5, 5), st.integers(-1, 6), st.integers(-2, 4)),
    max_size=30,
)


@given(_ROWS, st.integers(0, 2), st.integers(-1, 6), st.integers(0, 9), st.integers(0, 9))
def test_moves_are_what_a_list_of_them_would_be(rows, item, until, since, counted_at):
    moves = Moves()
    for number, at, quantity, offset, units in rows:
        moves.add(number, at, quantity, offset)
        moves.numbers[moves.many * 5 - 1] = units
    own = [row for row in rows if row[0] == item]
    assert moves.total_after(item, since) == sum(row[2] for row in own if row[1] > since)
    bought = [row[4] for row in own if row[1] > since and row[4] > 0]
    assert moves.bought_after(item, since) == (len(bought), sum(bought))
    gone = [row for row in own if 0 <= row[3] <= until and row[1] >= since]
    taken = moves.take_back(item, until, since, counted_at)
    assert taken == (sum(row[2] for row in gone), sum(row[2] for row in gone if row[1] > counted_at))
    left = [row for row in rows if row not in gone]
    assert moves.rows().tolist() == [number for row in left for number in row]
    moves.forget(since)
    assert moves.rows().tolist() == [number for row in left if row[1] >= since for number in row]


def test_the_kernel_expects_the_business_that_the_stores_clock_does():
    """By the only way it shows: the level at which it asks, over a whole week and lead times of up to three."""
    chance, trading = random.Random(3), Trading()
    for hour in range(200):
        trading.advance(MONDAY + hour * HOUR, 0 if hour % 24 < 8 else chance.randrange(1, 60))
    moves, table = Moves(), Table()
    item = Item("a", 0, moves)
    table.add("a", item.numbers, item.demand)
    item.applied, item.numbers.watched, item.numbers.counted = 0, 1, 1
    item.numbers.worse_at, item.numbers.z, item.numbers.pack = math.inf, 0.0, 0.0
    item.prior = item.prior._replace(rate=0.01)
    for _ in range(300):
        now, item.numbers.lead_time = MONDAY + chance.randrange(7 * 24 * HOUR), chance.uniform(0.01, 21)
        level = item.demand.rate(item.prior).mean(trading.ahead(now, item.numbers.lead_time))
        week, sums = trading.sums()
        store = STORE(now=now, done=0.0, week_known=1, hour_hours=9.0, day_hours=trading.a_day())
        store.week, store.sums = week.buffer_info()[0], sums.buffer_info()[0]
        for position, calm in ((level * (1 + 1e-4), True), (level * (1 - 1e-4), False)):
            item.numbers.on_hand = round(position * UNIT)
            if abs(item.numbers.on_hand / UNIT - level) > 2e-6 * (1 + 2 * level) and item.numbers.on_hand > 0:
                assert (table.not_calm(store) == []) == calm


def test_rows_and_items_are_as_long_as_the_kernel_has_them():
    assert (PURCHASE_WIDTH, ITEM.demand.size) == (5, 88)
    assert purchases_in(purchases_of({"NOK": {"a": [1]}})) == {"NOK": {"a": [1]}}
    assert Sales(log=1, offset=1, store_id="a", watermark=1, receipts=[]).purchases == purchases_of({})
