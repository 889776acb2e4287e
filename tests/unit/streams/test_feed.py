"""What the fold tells restock: openings, purchases, and that nothing is missing or twice whoever tells it.

Every time counts minutes after noon; windows are 5 minutes wide and stay open for 60 more.
"""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from schemas import feed
from schemas.feed import Movement, Sales
from streams.feed import opening
from streams.fold import fold
from streams.restock.decide import decide
from streams.restock.state import RestockState
from streams.state import PartitionState
from streams.tracking import Tracking
from streams.windows import Windows

from .world import MAX_SKEW, MINUTE, log_of, message, moment

WINDOWS = Windows(5 * MINUTE, 60 * MINUTE)
UNIT, CROWN = 100_000, 10_000


def tracking(*skus, opened=True, missed=False, ready=True, store="12"):
    found = Tracking(1, missed=missed)
    for sku in skus:
        found.track(store, sku, opened=opened)
    if ready:
        found.begin()
    return found


def told(found, values, state=None, each=False, key=b"12", first=0):
    """The messages that folding brings, all values as one chunk, or each as its own."""
    state = state or PartitionState(1, 0, "me", WINDOWS)
    records = log_of(values, key)[first:]
    chunks = [[record] for record in records] if each else [records]
    messages = [one for chunk in chunks for one in fold(state, chunk, "pos.receipts", MAX_SKEW, found).told]
    return [feed.decode(value) for _, value, _ in messages]


def test_a_purchase_of_a_tracked_sku_is_told_with_its_receipts_offset_and_time():
    (sales,) = told(tracking("a"), [message("t1", 1, [("a", "2", "30.00"), ("b", "1", "5.00")])])
    assert sales == Sales(
        log=1, offset=0, store_id="12", watermark=moment(1), receipts=[[moment(0), 1]],
        purchases=feed.purchases_of({"NOK": {"a": [0, moment(1), 2 * UNIT, 0, 30 * CROWN]}}),
    )  # fmt: skip


def test_lines_of_one_sku_in_one_receipt_are_one_purchase():
    (sales,) = told(tracking("a"), [message("t1", 1, [("a", "2", "30.00"), ("b", "1", "5.00"), ("a", "1", "15.00")])])
    assert feed.purchases_in(sales.purchases) == {"NOK": {"a": [0, moment(1), 3 * UNIT, 0, 45 * CROWN]}}


def test_what_is_not_folded_is_not_told():
    values = [
        message("t1", 1, [("a", "1", "1.00")]), message("t1", 1, [("a", "1", "1.00")]),
        message("t2", 70, [("b", "1", "1.00")]), message("t3", 2, [("a", "1", "1.00")]), b"no receipt",
        message("t4", 71, [("a", "1", "1.00")], type="training"),
    ]  # fmt: skip
    (sales,) = told(tracking("a"), values)
    assert feed.purchases_in(sales.purchases) == {"NOK": {"a": [0, moment(1), UNIT, 0, CROWN]}}
    assert (sales.offset, sales.watermark) == (5, moment(70))


def test_a_return_tells_what_stands_on_the_shelf_again_and_a_post_void_takes_back():
    lines = [("a", "2", "2.00", {"kind": "return", "restocked": True}), ("a", "1", "1.00", {"kind": "return"})]
    (sales,) = told(tracking("a"), [message("t1", 1, lines), message("t2", 2, [("a", "3", "3.00")], type="post_void")])
    assert feed.purchases_in(sales.purchases)["NOK"]["a"] == [
        0, moment(1), 0, 2 * UNIT, -3 * CROWN, 1, moment(2), -3 * UNIT, 0, -3 * CROWN,
    ]  # fmt: skip


def test_a_store_that_tracks_something_tells_its_receipts_even_where_nothing_of_it_was_sold():
    (sales,) = told(tracking("a"), [message("t1", 1, [("b", "1", "1.00")])])
    assert (sales.receipts, feed.purchases_in(sales.purchases), sales.watermark) == ([[moment(0), 1]], {}, moment(1))


def test_a_store_that_tracks_nothing_tells_nothing():
    assert told(tracking("a", store="13"), [message("t1", 1, [("a", "1", "1.00")])]) == []


def test_a_sku_that_becomes_tracked_is_opened_with_what_the_open_windows_hold():
    values = [message(f"t{at}", at, [("a", "1", "2.00")]) for at in (1, 2, 8)]
    found = tracking("a", "c", opened=False)
    (sales,) = told(found, values)
    assert sales.receipts == [[moment(0), 2], [moment(5), 1]]
    assert sales.opened == {
        "NOK": {"a": [moment(0), 2 * UNIT, 4 * CROWN, moment(5), UNIT, 2 * CROWN], "c": []}
    }  # fmt: skip
    assert feed.purchases_in(sales.purchases) == {}
    (after,) = told(found, [*values, message("t9", 9, [("a", "1", "2.00")])], first=3)
    assert (after.opened, list(feed.purchases_in(after.purchases)["NOK"])) == ({}, ["a"])


def test_a_store_without_receipts_is_opened_with_its_first():
    found, state = tracking("a", opened=False), PartitionState(1, 0, "me", WINDOWS)
    assert opening(found, state, -1) == []
    (sales,) = told(found, [message("t1", 1, [("a", "1", "2.00")])], state)
    assert sales.opened == {"NOK": {"a": [moment(0), UNIT, 2 * CROWN]}}


def test_what_was_folded_before_the_feed_was_read_is_told_by_opening_again():
    found, state = tracking("a", ready=False), PartitionState(1, 0, "me", WINDOWS)
    values = [message("t1", 1, [("a", "1", "2.00")]), message("t2", 2, [("a", "1", "2.00")])]
    assert told(found, values[:1], state) == []
    assert not state.told
    found.begin()
    (sales,) = told(found, values, state, first=1)
    assert (sales.opened, feed.purchases_in(sales.purchases)) == ({"NOK": {"a": [moment(0), 2 * UNIT, 4 * CROWN]}}, {})
    assert state.told


def test_what_a_predecessor_may_not_have_told_is_opened_again():
    found = tracking("a", missed=True)
    (sales,) = told(found, [message("t1", 1, [("a", "1", "2.00")])])
    assert sales.opened == {"NOK": {"a": [moment(0), UNIT, 2 * CROWN]}}


def test_an_opening_waits_while_windows_hold_receipts_that_will_be_folded_again():
    # The windows' records landed before a crash, the PartitionRecord did not: offset 1 is in the totals already.
    values = [message("t1", 1, [("a", "1", "2.00")]), message("t2", 2, [("a", "1", "2.00")])]
    state = PartitionState(1, 0, "me", WINDOWS)
    fold(state, log_of(values), "pos.receipts", MAX_SKEW)
    state.applied, state.ahead = 0, {1}
    found = tracking("a", opened=False)
    assert opening(found, state, 0) == []
    (sales,) = told(found, values, state, first=1)
    assert (sales.offset, sales.opened) == (1, {"NOK": {"a": [moment(0), 2 * UNIT, 4 * CROWN]}})


SKUS = ["a", "b"]
lines_sold = st.lists(st.tuples(st.sampled_from(SKUS), st.integers(1, 3)), min_size=1, max_size=3)
receipts = st.lists(st.tuples(st.integers(0, 55), lines_sold), min_size=1, max_size=14)


class Told:
    """A feed that owners come and go at: each folds from where a durable record says, and may freeze with messages."""

    def __init__(self, values, draw):
        self.log, self.draw = log_of(values), draw
        self.state = RestockState(WINDOWS)
        self.offset, self.durable, self.vouched = -1, -1, False
        self.frozen = []

    def tell(self, message):
        self.offset += 1
        decide(self.state, self.offset, feed.decode(feed.encode(message)))

    def own(self):
        """One owner, from its assignment to its death."""
        state = PartitionState(1, 0, "me", WINDOWS)
        if self.durable >= 0:
            fold(state, self.log[: self.durable + 1], "pos.receipts", MAX_SKEW)
        found = Tracking(1, missed=not self.vouched)
        ready_at = self.draw(st.integers(0, 2))
        for number in range(self.draw(st.integers(1, 4))):
            if number == ready_at:
                for shop in self.state.shops.values():
                    for item in shop.items.values():
                        found.track(shop.store_id, item.sku, opened=item.opened)
                found.begin()
            if self.frozen and self.draw(st.booleans()):
                self.tell(self.frozen.pop(0))
            many = self.draw(st.integers(1, 4))
            chunk = self.log[state.applied + 1 : state.applied + 1 + many]
            if not chunk:
                break
            messages = [feed.decode(value) for _, value, _ in fold(state, chunk, "pos.receipts", MAX_SKEW, found).told]
            landed = self.draw(st.integers(0, len(messages)))
            if landed < len(messages) or self.draw(st.integers(0, 3)) == 0:
                for one in messages[:landed]:
                    self.tell(one)
                self.frozen += messages[landed:]
                return
            for one in messages:
                self.tell(one)
            self.durable, self.vouched = state.applied, state.told


@settings(deadline=None, max_examples=300)
@given(st.data(), receipts)
def test_on_hand_is_exact_whoever_tells_and_whatever_is_repeated(data, sold):
    """Owners that die before their record, wake up late, or know nothing of the feed yet; SKUs tracked at any time."""
    values = [
        message(f"t{at}", minute, [(s, str(n), "1.00") for s, n in lines]) for at, (minute, lines) in enumerate(sold)
    ]
    world = Told(values, data.draw)
    counts = {}
    for number in range(40):
        sku = data.draw(st.sampled_from([*SKUS, ""])) if len(counts) < len(SKUS) else ""
        if sku and sku not in counts:
            counts[sku] = data.draw(st.integers(0, 11)) * 5  # between two windows
            world.tell(
                Movement(
                    offset=len(counts), movement_id=f"m{sku}", store_id="12", sku=sku, kind="count",
                    quantity=100 * UNIT, occurred_at=moment(counts[sku]) - 1,
                )
            )  # fmt: skip
        world.own()
        if world.durable == len(values) - 1 and len(counts) == len(SKUS) and world.vouched and number > 5:
            break
    # A last owner that nothing happens to: whatever is not opened by now is.
    world.draw = lambda strategy: None
    state = PartitionState(1, 0, "me", WINDOWS)
    fold(state, world.log[: world.durable + 1], "pos.receipts", MAX_SKEW) if world.durable >= 0 else None
    found = Tracking(1, missed=not world.vouched)
    for shop in world.state.shops.values():
        for item in shop.items.values():
            found.track(shop.store_id, item.sku, opened=item.opened)
    found.begin()
    for one in world.frozen:
        world.tell(one)
    rest = world.log[state.applied + 1 :]
    messages = fold(state, rest, "pos.receipts", MAX_SKEW, found).told if rest else opening(found, state, state.applied)
    for _, value, _ in messages:
        world.tell(feed.decode(value))
    for sku, minute in counts.items():
        units = sum(n for sold_at, lines in sold for s, n in lines if s == sku and sold_at >= minute)
        assert world.state.shops["12"].items[sku].position.on_hand == (100 - units) * UNIT
