"""What is simulated for the demo's receipts, told to the rules themselves: all four fire, and the books are right."""

from __future__ import annotations

from collections import Counter

import pytest

from schemas.decode import decode as decode_receipt
from schemas.feed import Catalogue, Known, Movement, PoliciesSet, Sales, purchases_of
from schemas.stock import decode as decode_movement
from streams.restock.decide import decide
from streams.restock.state import RestockState
from streams.windows import Windows
from tillstream.demo.live_stock import POLICY
from tillstream.demo.simulated_stock import SIMULATED
from tillstream.demo.simulation import plan
from tillstream.local import demo_data

UNIT = 100_000
WINDOWS = Windows(300_000_000, 96 * 3_600_000_000)


@pytest.fixture(scope="module")
def year():
    return plan(None)


class Told:
    """One partition that is told everything, in the order in which the demo sends it."""

    def __init__(self):
        self.state = RestockState(WINDOWS)
        self.alerts, self.refused = [], []
        self._offset = self._moves = self._receipts = 0
        self._windows = Counter()

    def tell(self, message):
        self._offset += 1
        done = decide(self.state, self._offset, message)
        self.alerts += done.alerts
        self.refused += done.refused

    def move(self, moves):
        for move in moves:
            self._moves += 1
            found = decode_movement(move.outgoing().value)
            names = {name: getattr(found, name) for name in found.__struct_fields__}
            self.tell(Movement(offset=self._moves, **names))

    def sell(self, store_id, receipts, opened=None):
        """As one chunk of the fold's; `opened` are SKUs that are tracked since just before."""
        if not receipts:
            return
        skus = self.state.shops[store_id].items
        touched, purchases = {}, {}
        for receipt in map(decode_receipt, (one.value for one in receipts)):
            self._receipts += 1
            start = WINDOWS.start_of(receipt.occurred_at)
            self._windows[store_id, start] += 1
            touched[start] = self._windows[store_id, start]
            found = {}
            lines = receipt.lines
            for sku, quantity, amount in zip(lines.sku, lines.quantity, lines.amount, strict=True):
                if sku in skus:
                    units, paid = found.get(sku, (0, 0))
                    found[sku] = units + quantity, paid + amount
            for sku, (units, paid) in found.items():
                purchases.setdefault(sku, []).extend((self._receipts, receipt.occurred_at, units, 0, paid))
        self.tell(
            Sales(
                log=1, offset=self._receipts, store_id=store_id, watermark=receipts[-1].occurred_at,
                receipts=[[start, many] for start, many in touched.items()],
                purchases=purchases_of({} if opened else {"USD": purchases}),
                opened={"USD": {sku: [] for sku in opened}} if opened else {},
            )
        )  # fmt: skip


def played(found):
    told = Told()
    told.tell(Catalogue(skus={one.sku: Known(one.name) for one in found.products}))
    told.tell(PoliciesSet(version="demo", since=0, rules=[POLICY]))
    for store in found.live:
        told.move(store.tracked)
        told.sell(store.store_id, [store.first], opened=[move.sku for move in store.tracked])
        for receipts, moves in store.steps():
            told.sell(store.store_id, receipts)
            told.move(moves)
    return told


def on_hand(told):
    return {
        (shop.store_id, sku): item.position.on_hand / UNIT
        for shop in told.state.shops.values()
        for sku, item in shop.items.items()
    }


def test_every_rule_fires_at_the_shelf_that_was_meant_for_it_and_the_books_end_as_simulated(year):
    told = played(year)
    assert not told.refused
    assert on_hand(told) == year.on_hand
    still = {
        (shop.store_id, sku, rule)
        for shop in told.state.shops.values()
        for sku, item in shop.items.items()
        for rule in item.episodes
    }
    parts = {one.part: (one.store_id, one.sku) for one in year.shelves}
    assert (*parts["low"], "reorder_point") in still
    assert (*parts["empty"], "stock_out") in still
    assert (*parts["phantom"], "silent_shelf") in still
    assert (*parts["rush"], "surge") in still
    late = [one for one in told.alerts if (one.store_id, one.sku, one.rule) == (*parts["late"], "stock_out")]
    assert [late[0].state, late[-1].state] == ["raised", "resolved"]


def test_nothing_but_the_phantom_is_called_silent_and_nothing_but_the_rush_a_surge(year):
    told = played(year)
    parts = {one.part: (one.store_id, one.sku) for one in year.shelves}
    for rule, part in (("silent_shelf", "phantom"), ("surge", "rush")):
        assert {(one.store_id, one.sku) for one in told.alerts if one.rule == rule} == {parts[part]}


def test_no_real_receipt_is_missing_changed_or_twice(year):
    sent = Counter(one.value for one in demo_data.receipts_of(year.flood))
    for store in year.live:
        if not store.store_id.startswith(SIMULATED):
            sent.update(one.value for one in (store.first, *store.receipts))
    assert sent == Counter(one.value for one in demo_data.receipts())
    assert (year.real, year.lines) == (demo_data.RECEIPTS, demo_data.LINES)


def test_that_a_step_is_through_can_be_told_by_the_time_of_its_last_receipt(year):
    for store in year.live:
        for receipts, _ in store.steps():
            moments = [one.occurred_at for one in receipts]
            assert moments == sorted(moments)
            assert len(moments) < 2 or moments[-1] > moments[-2]


def test_what_is_invented_says_so_in_its_store_and_its_receipts(year):
    (store,) = (one for one in year.live if one.store_id.startswith(SIMULATED))
    receipts = [decode_receipt(one.value) for one in (store.first, *store.receipts)]
    assert len(receipts) == year.invented
    assert all(one.transaction_id.startswith(SIMULATED) and one.store_id == store.store_id for one in receipts)


def test_a_fortnight_is_enough_and_less_shows_nothing():
    few = plan(2_000)
    assert (few.live, few.moves, len(few.flood)) == ([], 0, few.lines)
    some = plan(8_000)
    told = played(some)
    assert on_hand(told) == some.on_hand
    assert {"reorder_point", "stock_out", "surge"} <= {one.rule for one in told.alerts}
