"""The simulator's own arithmetic: shelves, spells, and that it keeps the books as tillstream does."""

from __future__ import annotations

import pytest
from restock import world
from restock.chain import Size
from restock.figures import Judged, Point, judged, lost_at
from restock.ours import Ours
from restock.play import Play
from restock.shelves import Shelves, Spell

SMALL = Size(stores=2, skus=12, warm_days=7, days=21)


def test_the_same_seed_is_the_same_world():
    one, other = world.make(5, SMALL), world.make(5, SMALL)
    assert one.purchases == other.purchases
    assert one.purchases != world.make(6, SMALL).purchases


def test_what_tillstream_has_on_hand_is_what_the_simulators_books_say():
    one = world.make(5, SMALL)
    ours = Ours(one.chain, 0.95)
    play = Play(one, ours, looks=True)
    play.run()
    on_hand = [
        ours.state.shops[f"{store}"].items[f"{sku}"].position.on_hand // 100_000
        for store in range(SMALL.stores)
        for sku in range(SMALL.skus)
    ]
    assert on_hand == play.shelves.books


def test_a_customer_gets_what_there_is_and_the_rest_is_lost():
    shelves = Shelves(Size(1, 1))
    shelves.shelf[0] = 2
    shelves.count(0, 0)
    assert shelves.buy(0, 5, hour=1) == 2
    assert shelves.buy(0, 1, hour=2) == 0
    shelves.deliver(0, 6, 6, behind=False)
    shelves.note(0, 9)
    assert shelves.spells == [Spell(1, 0, 1, 9, False, 4)]


def test_goods_in_the_back_hide_an_empty_shelf_until_somebody_counts():
    shelves = Shelves(Size(1, 1))
    shelves.count(0, 0)
    shelves.note(0, 0)
    shelves.deliver(0, 6, 6, behind=True)
    shelves.note(0, 1)
    assert (shelves.empty(0), shelves.hidden(0)) == (True, True)
    assert shelves.buy(0, 1, hour=2) == 0
    assert shelves.count(0, 9_999) == 6
    shelves.note(0, 3)
    hidden = [one for one in shelves.spells if one.hidden]
    assert [(one.since, one.until, one.turned_away) for one in hidden] == [(1, 3, 1)]


def test_a_sale_that_is_told_after_a_count_comes_off_the_books_only_if_it_was_later():
    shelves = Shelves(Size(1, 1))
    shelves.shelf[0] = 5
    shelves.count(0, 100)
    shelves.told(0, 1, second=99)
    shelves.told(0, 1, second=101)
    assert shelves.books == [4]


def point(stock, lost):
    return Point(0.95, stock, lost, 0, 0, 0, 0)


def test_what_is_lost_at_a_stock_lies_between_the_points_around_it():
    points = [point(300, 0.01), point(100, 0.04)]
    assert lost_at(points, 200) == pytest.approx(0.02)
    assert lost_at(points, 100) == pytest.approx(0.04)
    assert lost_at(points, 301) is None


def test_an_alert_finds_a_spell_once_and_a_spell_that_turned_nobody_away_is_none_to_be_found():
    spells = [Spell(1, 0, 0, 9, True, 3), Spell(2, 1, 0, 9, True, 1), Spell(3, 2, 0, 9, True, 0)]
    assert judged([1, 1, None, 3], spells) == Judged(4, 0.75, 0.5, 0.75)
    assert judged([], []) == Judged(0, None, None, None)
