"""The life of an alert, whatever happens in whatever order: one episode, one id; and what stands on the shelf."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.feed import Movement, Sales, purchases_of
from streams.restock.decide import decide
from tests.unit.streams.restock.feeds import HOUR, MINUTE, MONDAY, UNIT, WIDTH
from tests.unit.streams.restock.stories import ACTIONS, KINDS, MOVES, SALES, STEPS, Story, new_state, on_hand

RUNS = settings(max_examples=150, deadline=None)


def told(steps):
    story = Story()
    for step in steps:
        story.step(step)
    return story


@RUNS
@given(STEPS)
def test_at_most_one_episode_of_a_rule_and_sku_is_open_and_its_states_count_from_one_without_gaps(steps):
    open_ones, seen = {}, set()
    for alert in told(steps).alerts:
        key = alert.rule, alert.store_id, alert.sku
        before = open_ones.get(key)
        if before is None:
            assert (alert.state, alert.sequence) == ("raised", 1)
            assert alert.alert_id not in seen
            seen.add(alert.alert_id)
        else:
            assert (alert.alert_id, alert.sequence) == (before.alert_id, before.sequence + 1)
            assert alert.raised_at == before.raised_at
        if alert.state == "resolved":
            del open_ones[key]
        else:
            open_ones[key] = alert


@RUNS
@given(STEPS)
def test_what_the_state_holds_open_is_what_the_alerts_say(steps):
    story = told(steps)
    said = {}
    for alert in story.alerts:
        said[alert.rule, alert.store_id, alert.sku] = alert
    said = {key: (one.alert_id, one.state, one.sequence) for key, one in said.items() if one.state != "resolved"}
    held = {
        (rule, store, sku): (one.alert_id, one.state, one.sequence)
        for (store, sku), item in story.items().items()
        for rule, one in item.episodes.items()
    }
    assert held == said


@RUNS
@given(STEPS)
def test_the_whole_feed_told_again_gives_the_identical_alerts(steps):
    story = told(steps)
    assert story.replayed() == story.alerts


@RUNS
@given(STEPS)
def test_a_feed_that_is_told_again_to_who_knows_it_does_nothing(steps):
    story = told(steps)
    before = story.copy()
    for offset, message in enumerate(story.log):
        done = decide(story.state, offset, message)
        assert (done.alerts, done.refused) == ([], [])
    before.policies = story.state.policies  # compared by identity, so that a copy differs
    assert story.state == before


@RUNS
@given(st.lists(st.one_of(SALES, SALES, MOVES), max_size=40))
def test_a_message_that_its_source_repeats_at_once_changes_nothing(steps):
    story = Story()
    for step in steps:
        story.step(step)
        before = story.copy()
        done = story.tell(story.log[-1])
        assert not done.alerts
        before.applied += 1
        assert story.state == before


@RUNS
@given(STEPS, st.integers(0, 200))
def test_a_message_that_its_source_repeats_later_moves_no_goods_and_no_demand(steps, which):
    story = told(steps)
    known = [one for one in story.log if isinstance(one, (Sales, Movement))]
    if not known:
        return

    def figures():
        return {
            key: (
                item.position.on_hand, item.orders.open, item.demand.purchases, item.demand.units,
                # A campaign that has begun is noticed when the item is looked at; nothing was sold in it by that.
                (item.promotion.purchases, item.promotion.units) if item.promotion and item.promotion.units else None,
            )
            for key, item in story.items().items()
        }  # fmt: skip

    # Whatever waits to be looked at is looked at with it: that first.
    for store, shop in story.state.shops.items():
        if shop.watermark is not None:
            story.tell(Sales(log=1, offset=0, store_id=store, watermark=shop.watermark, receipts=[]))
    before = figures()
    story.tell(known[which % len(known)])
    assert figures() == before


@RUNS
@given(STEPS)
def test_on_hand_is_what_a_plain_pass_over_all_that_was_taken_up_gives(steps):
    story = told(steps)
    for key, item in story.items().items():
        assert item.position.on_hand == on_hand(story.counts.get(key, []), story.moves.get(key, []))


@RUNS
@given(st.lists(st.one_of(SALES, MOVES, ACTIONS), max_size=50))
def test_what_is_resolved_by_hand_and_still_holds_is_an_alert_of_its_own(steps):
    story = told(steps)
    ids = [one.alert_id for one in story.alerts if one.state == "resolved"]
    assert len(ids) == len(set(ids))


EVENTS = st.lists(
    st.tuples(st.sampled_from((*KINDS, "sale", "sale")), st.integers(1, 9), st.integers(1, 90 * 60)),
    unique_by=lambda event: event[2],
    max_size=14,
)


def arrived(events):
    """The shelf counted as 50 at Monday 00:00; then events, each of its own minute, in the order they are told."""
    state = new_state()
    tell = iter(range(1_000_000))

    def move(number, kind, quantity, minute):
        signed = -quantity if kind == "adjustment" and quantity % 2 else quantity
        message = Movement(
            offset=number, movement_id=f"{minute}", store_id="1", sku="milk", kind=kind, quantity=signed * UNIT,
            occurred_at=MONDAY + minute * MINUTE,
        )  # fmt: skip
        assert not decide(state, next(tell), message).refused

    move(0, "count", 50, 0)
    last = MONDAY + 91 * HOUR
    decide(
        state, next(tell),
        Sales(log=1, offset=0, store_id="1", watermark=last, receipts=[], opened={"NOK": {"milk": []}}),
    )  # fmt: skip
    receipts = {}
    for number, (kind, quantity, minute) in enumerate(events, 1):
        if kind != "sale":
            move(number, kind, quantity, minute)
            continue
        at = MONDAY + minute * MINUTE
        start = at - at % WIDTH
        receipts[start] = receipts.get(start, 0) + 1
        purchases = {"NOK": {"milk": [number, at, quantity * UNIT, 0, 1]}}
        message = Sales(
            log=1, offset=number, store_id="1", watermark=last, receipts=[[start, receipts[start]]],
            purchases=purchases_of(purchases),
        )  # fmt: skip
        decide(state, next(tell), message)
    return state.shops["1"].items["milk"]


@RUNS
@given(EVENTS, st.randoms(use_true_random=False))
def test_whatever_order_things_arrive_in_within_grace_the_shelf_and_the_orders_come_to_the_same(events, random):
    shuffled = list(events)
    random.shuffle(shuffled)
    one, other = arrived(sorted(events, key=lambda event: event[2])), arrived(shuffled)
    assert other.position.on_hand == one.position.on_hand
    assert other.orders.open == one.orders.open
    counts = [(0, 50), *((minute, many) for kind, many, minute in events if kind == "count")]
    sign = {"sale": -1, "delivery": 1, "transfer_in": 1, "transfer_out": -1}
    moves = [
        (minute, many * ((-1 if many % 2 else 1) if kind == "adjustment" else sign.get(kind, 0)))
        for kind, many, minute in events
    ]
    assert other.position.on_hand == on_hand(counts, moves) * UNIT
