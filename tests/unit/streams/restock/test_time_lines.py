"""Golden time lines: what is told to restock, in which order, and what it makes of it.

Each is drawn above its test: what occurred stands at its time, `~>` is when it was told.
"""

from __future__ import annotations

from dataclasses import replace

import pytest

from schemas.feed import Sales, purchases_in, purchases_of
from streams.restock.policy import Policy
from tests.unit.streams.restock.feeds import DAY, HOUR, MONDAY, UNIT, Feed, at, usual_week


def fixed(s, up_to):
    return Policy(reorder_point=s * UNIT, order_up_to=up_to * UNIT)


def stocked_out():
    """Out of stock since Mon 09:00, at the first thing that is said."""
    feed = counted(9)
    feed.state.shops["12"].items["milk"].set_policy(fixed(0, 10), "")
    feed.sell("Mon 09:00", 9)
    return feed


def feed_opened(feed):
    """Two weeks before: the SKU is counted, and its sales are told from the beginning."""
    begin = MONDAY - 14 * DAY + 8 * HOUR
    feed.sell(begin, units=0)
    feed.move("count", begin, 100_000)
    feed.tell(
        Sales(log=1, offset=feed.receipt, store_id="12", watermark=begin, receipts=[], opened={"NOK": {"milk": []}})
    )
    return feed


def counted(quantity=10, when="Mon 08:00"):
    feed = Feed()
    feed.sell("Mon 07:55", units=0)
    feed.move("count", when, quantity)
    feed.open("Mon 08:00")
    return feed


def test_sales_after_a_count_come_off_it():
    # Mon 08:00 count 10   09:00 sale 3   10:00 sale 2
    feed = counted(10)
    feed.sell("Mon 09:00", 3)
    feed.sell("Mon 10:00", 2)
    assert feed.on_hand == 5


def test_a_count_that_is_told_hours_later_rules_from_its_moment_on():
    # Mon 08:00 count 10   09:00 sale 3   [10:00 count 6]   11:00 sale 1   ~> the count of 10:00 is told now
    feed = counted(10)
    feed.sell("Mon 09:00", 3)
    feed.sell("Mon 11:00", 1)
    feed.move("count", "Mon 10:00", 6)
    assert feed.on_hand == 5


def test_a_sale_that_is_told_late_comes_off_only_where_it_occurred_after_the_count():
    # Mon 08:00 count 10   [07:30 sale 4] [08:30 sale 2]   12:00 sale 1 ~> then both are told
    feed = counted(10)
    feed.sell("Mon 12:00", 1)
    feed.sell("Mon 07:30", 4)
    feed.sell("Mon 08:30", 2)
    assert feed.on_hand == 7


def test_a_sale_at_the_counts_own_moment_was_before_it():
    feed = counted(10, "Mon 08:00")
    feed.sell("Mon 08:00", 1)
    assert feed.on_hand == 10


def test_of_several_counts_the_latest_rules_whichever_is_told_last():
    feed = counted(10)
    feed.move("count", "Mon 12:00", 7)
    feed.move("count", "Mon 10:00", 99)
    assert feed.on_hand == 7


@pytest.mark.parametrize(
    ("kind", "quantity", "left"),
    [("delivery", 4, 14), ("adjustment", -3, 7), ("transfer_in", 2, 12), ("transfer_out", 2, 8), ("count", 5, 5)],
)
def test_each_kind_moves_what_is_on_hand(kind, quantity, left):
    feed = counted(10)
    feed.move(kind, "Mon 09:00", quantity)
    assert feed.on_hand == left


def test_a_movement_that_is_repeated_moves_nothing():
    feed = counted(10)
    feed.move("delivery", "Mon 09:00", 4, movement_id="d1")
    feed.move("delivery", "Mon 09:00", 4, movement_id="d1")
    assert feed.on_hand == 14


def test_a_movement_from_before_the_grace_is_refused_with_its_reason():
    # Mon 08:00 count 10   Fri 09:00 sale: the grace of 96 h is over at Mon 09:00
    feed = counted(10)
    feed.sell("Fri 09:00", 1)
    feed.move("count", "Mon 08:59", 50)
    ((movement, fault),) = feed.refused
    assert (movement.movement_id, fault.path) == ("m2", "$.occurred_at")
    assert feed.on_hand == 9


def test_until_somebody_counts_nothing_is_known_and_nothing_is_said():
    feed = Feed()
    feed.sell("Mon 07:55", units=0)
    feed.move("delivery", "Mon 08:00", 10)
    feed.open("Mon 08:00")
    feed.sell("Mon 09:00", 20)
    assert (feed.on_hand, feed.alerts) == (None, [])


def test_a_return_puts_back_only_what_is_restocked():
    feed = counted(10)
    feed.sell("Mon 09:00", 3)
    feed.sell("Mon 10:00", 0, restocked=2)
    assert feed.on_hand == 9


def test_a_count_from_before_the_sku_was_tracked_takes_the_windows_since_off():
    # Mon 08:00 [count 10] 09:00 sale 3, 10:00 sale 1 (not told: nobody tracks it)   ~> 11:00 the count is told
    feed = Feed()
    feed.sell("Mon 11:00", units=0)
    feed.move("count", "Mon 08:00", 10)
    feed.open("Mon 11:00", totals=[("Mon 07:30", 5), ("Mon 09:00", 3), ("Mon 10:00", 1)])
    assert feed.on_hand == 6


def test_totals_that_come_again_take_the_place_of_what_they_repeat():
    # A new owner did not know that its predecessor had begun to tell the SKU's sales.
    feed = counted(10)
    feed.sell("Mon 09:00", 3)
    feed.receipt += 1  # a receipt at 09:30 with 2 of it, which the frozen owner has never told
    feed.open("Mon 10:00", totals=[("Mon 09:00", 3), ("Mon 09:30", 2)])
    assert feed.on_hand == 5
    feed.sell("Mon 10:30", 1)
    assert feed.on_hand == 4


def test_sales_that_are_told_again_come_off_once():
    feed = counted(10)
    feed.sell("Mon 09:00", 3)
    again = feed.log[-1]
    feed.tell(again)
    assert feed.on_hand == 7


def test_a_shelf_that_empties_is_out_of_stock_and_recovers_by_a_delivery():
    # Mon 08:00 count 2   09:00 sale 2: out of stock   12:00 delivery 20: resolved
    feed = counted(2)
    feed.sell("Mon 09:00", 2)
    feed.move("delivery", "Mon 12:00", 20)
    assert feed.lines("stock_out") == ["stock_out raised", "stock_out resolved"]
    first, last = [one for one in feed.alerts if one.rule == "stock_out"]
    assert (first.alert_id, first.sequence, last.sequence) == (last.alert_id, 1, 2)
    assert (first.on_hand, last.on_hand, last.reason) == ("0", "20", "recovered")


def test_stock_out_stands_for_low_stock_of_the_same_item():
    # Mon 08:00 count 9   09:00 sale 8: low   10:00 sale 1: out; the low one is resolved   11:00 delivery 1: low again
    feed = counted(9)
    feed.sell("Mon 09:00", 8)
    feed.sell("Mon 10:00", 1)
    feed.move("delivery", "Mon 11:00", 1)
    assert feed.lines() == [
        "reorder_point raised", "stock_out raised", "reorder_point resolved", "stock_out resolved",
        "reorder_point raised",
    ]  # fmt: skip
    assert len({one.alert_id for one in feed.alerts if one.rule == "reorder_point"}) == 2


def test_low_stock_is_said_once_however_much_more_is_sold():
    feed = counted(30)
    feed.state.shops["12"].items["milk"].set_policy(fixed(20, 40), "")
    for minute in range(12):
        feed.sell(f"Mon 09:{minute:02}", 1)
    assert feed.lines("reorder_point") == ["reorder_point raised"]
    (alert,) = [one for one in feed.alerts if one.rule == "reorder_point"]
    assert (alert.on_hand, alert.suggested_order) == ("20", "20")


def test_a_price_that_is_no_longer_known_makes_nothing_worse():
    # level 20:   1.00 each, info   -90.00: nobody knows what a unit brings   still info
    feed = counted(30)
    feed.state.shops["12"].items["milk"].set_policy(replace(fixed(20, 40), warning_per_day=10**12), "")
    feed.sell("Mon 09:00", 10, revenue=100_000)
    feed.sell("Mon 09:01", 2, revenue=20_000)
    feed.sell("Mon 09:02", -1, revenue=-900_000)
    assert feed.item.demand.price() is None
    feed.sell("Mon 09:03", 0, restocked=1)
    assert [(one.state, one.severity) for one in feed.alerts if one.rule == "reorder_point"] == [("raised", "info")]


def test_it_is_said_again_only_after_it_has_recovered_by_more_than_a_pack():
    # level 20, pack 1:   20 raised   21 still open   22 resolved   20 raised anew
    feed = counted(21)
    feed.state.shops["12"].items["milk"].set_policy(fixed(20, 40), "")
    feed.sell("Mon 09:00", 1)
    feed.move("adjustment", "Mon 10:00", 1)
    assert feed.lines("reorder_point") == ["reorder_point raised"]
    feed.move("adjustment", "Mon 11:00", 1)
    feed.sell("Mon 12:00", 2)
    assert feed.lines("reorder_point") == [
        "reorder_point raised", "reorder_point resolved", "reorder_point raised",
    ]  # fmt: skip
    assert len({one.alert_id for one in feed.alerts}) == 2


def test_an_order_that_covers_it_is_said_and_a_delivery_resolves_it():
    # level 20   19: raised   order 30 placed: ordered   delivered: resolved
    feed = counted(21)
    feed.state.shops["12"].items["milk"].set_policy(fixed(20, 40), "")
    feed.sell("Mon 09:00", 2)
    feed.move("order_placed", "Mon 10:00", 30, movement_id="o1", expected_at=at("Tue 10:00"))
    assert feed.lines("reorder_point") == ["reorder_point raised", "reorder_point ordered"]
    assert feed.item.orders.open[0].stage(at("Mon 11:00")) == "placed"
    feed.move("order_shipped", "Mon 15:00", 30, order_id="o1")
    assert feed.item.orders.open[0].stage(at("Mon 16:00")) == "in_transit"
    assert feed.item.orders.open[0].stage(at("Tue 10:01")) == "late"
    feed.move("delivery", "Tue 11:00", 30, order_id="o1")
    assert feed.lines("reorder_point")[2:] == ["reorder_point resolved"]
    assert feed.item.orders.on_order == 0


def test_an_order_that_is_cancelled_raises_it_again_in_the_same_episode():
    feed = counted(21)
    feed.state.shops["12"].items["milk"].set_policy(fixed(20, 40), "")
    feed.sell("Mon 09:00", 2)
    feed.move("order_placed", "Mon 10:00", 30)
    feed.move("order_cancelled", "Mon 11:00", 30)
    assert feed.lines("reorder_point") == [
        "reorder_point raised", "reorder_point ordered", "reorder_point raised",
    ]  # fmt: skip
    assert [one.sequence for one in feed.alerts] == [1, 2, 3]
    assert len({one.alert_id for one in feed.alerts}) == 1


def test_a_delivery_that_is_told_before_its_order_comes_to_the_same():
    feed = counted(10)
    feed.move("delivery", "Tue 09:00", 5, movement_id="d")
    feed.move("order_placed", "Mon 09:00", 8, movement_id="o")
    assert (feed.on_hand, feed.item.orders.on_order) == (15, 3 * UNIT)


def test_a_snooze_is_kept_and_ends_by_the_stores_own_time():
    feed = stocked_out()
    feed.act("snooze", feed.alerts[0].alert_id, until="Mon 12:00")
    feed.sell("Mon 11:59", 0)
    assert feed.lines() == ["stock_out raised", "stock_out snoozed"]
    feed.sell("Mon 12:00", 0)
    assert feed.lines() == ["stock_out raised", "stock_out snoozed", "stock_out raised"]
    assert feed.alerts[-1].reason == "the snooze is over"


def test_what_is_acknowledged_stays_so_until_it_recovers():
    feed = stocked_out()
    feed.act("acknowledge", feed.alerts[0].alert_id)
    feed.act("acknowledge", feed.alerts[0].alert_id)
    feed.sell("Tue 09:00", 1)
    feed.move("delivery", "Tue 10:00", 50)
    assert feed.lines() == ["stock_out raised", "stock_out acknowledged", "stock_out resolved"]


def test_a_shelf_that_has_gone_silent_is_said_once_the_silence_is_improbable_and_muted_while_the_store_is():
    # two weeks of a purchase an hour; Mon: the store sells, the SKU does not
    feed = Feed()
    usual_week(feed_opened(feed), every=1)
    feed.move("count", "Mon 08:00", 50)
    for hour in range(9, 21):
        feed.sell(f"Mon {hour:02}:30", 0, receipts=10)
    for hour in range(9, 21):
        feed.sell(f"Tue {hour:02}:30", 0, receipts=10)
    assert feed.lines("silent_shelf") == ["silent_shelf raised"]
    (alert,) = [one for one in feed.alerts if one.rule == "silent_shelf"]
    figures = alert.figures
    assert figures["probability"] < figures["threshold"]
    assert figures["probability"] == pytest.approx(
        (figures["hours"] / (figures["hours"] + figures["silent_hours"])) ** figures["shape"]
    )
    feed.sell("Wed 09:30", 1, receipts=10)
    assert feed.lines("silent_shelf")[-1] == "silent_shelf resolved"


def test_a_store_that_is_silent_itself_makes_no_shelf_suspicious():
    feed = Feed()
    usual_week(feed_opened(feed), every=1)
    feed.move("count", "Mon 08:00", 50)
    feed.sell("Mon 09:30", 0, receipts=1)
    feed.sell("Sun 20:30", 0, receipts=1)
    assert feed.lines("silent_shelf") == []


def test_a_surge_is_said_while_what_is_on_hand_will_not_last():
    feed = Feed()
    usual_week(feed_opened(feed), every=1)
    feed.move("count", "Mon 08:00", 40)
    for minute in range(0, 40, 4):
        feed.sell(f"Mon 09:{minute:02}", 1)
    assert feed.lines("surge") == ["surge raised"]
    (alert,) = [one for one in feed.alerts if one.rule == "surge"]
    assert alert.figures["purchases_in_hour"] >= 5
    for hour in range(11, 14):
        feed.sell(f"Mon {hour}:30", 1, receipts=10)
    assert feed.lines("surge") == ["surge raised", "surge resolved"]


def test_nothing_is_said_of_other_skus():
    feed = counted(10)
    feed.sell("Mon 09:00", 5, sku="bread")
    assert (feed.on_hand, feed.alerts) == (10, [])


def test_a_stock_out_stays_raised_while_what_is_on_order_brings_it_not_above_the_level():
    # level 5   09:00 out   10:00 order 3: not enough   11:00 order 9 more: ordered
    feed = counted(9)
    feed.state.shops["12"].items["milk"].set_policy(fixed(5, 10), "")
    feed.sell("Mon 09:00", 9)
    feed.move("order_placed", "Mon 10:00", 3)
    assert feed.lines("stock_out") == ["stock_out raised"]
    feed.move("order_placed", "Mon 11:00", 9)
    assert feed.lines("stock_out") == ["stock_out raised", "stock_out ordered"]


def test_a_stock_out_for_which_enough_is_on_order_is_said_and_said_to_be_ordered_at_once():
    # level 0   09:00 order 10   10:00 out
    feed = counted(9)
    feed.state.shops["12"].items["milk"].set_policy(fixed(0, 10), "")
    feed.move("order_placed", "Mon 09:00", 10)
    feed.sell("Mon 10:00", 9)
    assert feed.lines("stock_out") == ["stock_out raised", "stock_out ordered"]
    assert len({one.changed_at for one in feed.alerts}) == 1


def test_an_action_that_is_told_again_acts_once():
    feed = stocked_out()
    feed.act("acknowledge", feed.alerts[0].alert_id)
    again = feed.log[-1]
    feed.act("snooze", feed.alerts[0].alert_id, until="Mon 12:00")
    feed.tell(again)
    assert feed.lines() == ["stock_out raised", "stock_out acknowledged", "stock_out snoozed"]


def test_sales_in_two_currencies_all_come_off():
    feed = Feed()
    feed.sell("Mon 07:55", units=0)
    feed.move("count", "Mon 08:00", 10)
    start = at("Mon 08:10")
    feed.tell(
        Sales(
            log=1, offset=2, store_id="12", watermark=start + 60_000_000, receipts=[],
            opened={"NOK": {"milk": [start, UNIT, 20_000]}, "SEK": {"milk": [start, 2 * UNIT, 40_000]}},
        )
    )  # fmt: skip
    assert feed.on_hand == 7
    feed.tell(
        Sales(
            log=1, offset=5, store_id="12", watermark=at("Mon 09:00"), receipts=[],
            purchases=purchases_of(
                {
                    "NOK": {"milk": [5, at("Mon 09:00"), UNIT, 0, 20_000]},
                    "SEK": {"milk": [4, at("Mon 08:59"), 2 * UNIT, 0, 40_000]},
                }
            ),
        )
    )  # fmt: skip
    assert feed.on_hand == 4
    assert feed.item.currency == "NOK"


def test_what_is_opened_again_without_a_sale_keeps_its_price():
    feed = counted(10)
    feed.sell("Mon 09:00", 2)
    price = feed.item.demand.price()
    feed.receipt += 1
    feed.sell("Mon 09:01", 0)
    feed.tell(
        Sales(
            log=1, offset=feed.receipt, store_id="12", watermark=at("Mon 10:00"), receipts=[], opened={"": {"milk": []}}
        )
    )
    assert (feed.item.currency, feed.item.demand.price()) == ("NOK", price)


def test_a_count_after_a_closed_weekend_is_of_its_own_morning():
    # the last receipt on Sat 20:00; on Mon 07:00 somebody counts 0: an alert of Monday, not one that is two days old
    feed = counted(10)
    feed.sell("Sat 20:00", 1)
    (raised,) = [one for one in feed.move("count", "Mon+7 07:00", 0) if one.rule == "stock_out"]
    assert (raised.raised_at, raised.changed_at) == ("2026-11-30T07:00:00Z", "2026-11-30T07:00:00Z")


def test_before_the_first_receipt_an_old_count_may_come_after_newer_movements():
    feed = Feed()
    feed.move("delivery", "Mon 08:00", 5)
    for number in range(70):
        feed.move("adjustment", "Sun 08:00", 1, movement_id=f"a{number}")
    feed.move("count", "Mon 07:00", 10)
    assert feed.on_hand == 85


def test_a_movement_that_comes_again_under_another_offset_is_told_no_more():
    feed = counted(10)
    feed.move("delivery", "Mon 09:00", 4, movement_id="d1")
    feed.move("delivery", "Mon 09:00", 4, movement_id="d1")
    assert feed.state.movements == feed.movements


def test_a_backlog_that_is_told_at_once_teaches_what_it_would_have_taught_hour_by_hour():
    # two weeks, the SKU in every third trading hour, grace 96 h:   ~> told by the hour | ~> told as one chunk
    one_by_one, at_once = feed_opened(Feed()), feed_opened(Feed())
    usual_week(one_by_one, every=3)
    usual_week(at_once_log := Feed(), every=3)
    told = [one for one in at_once_log.log if isinstance(one, Sales)]
    purchases = [number for one in told for number in purchases_in(one.purchases).get("NOK", {}).get("milk", [])]
    receipts = [row for one in told for row in one.receipts]
    at_once.tell(
        Sales(
            log=1, offset=told[-1].offset + 1, store_id="12", watermark=told[-1].watermark, receipts=receipts,
            purchases=purchases_of({"NOK": {"milk": purchases}}),
        )
    )  # fmt: skip
    slow, fast = one_by_one.item.demand, at_once.item.demand
    assert fast.hours == pytest.approx(slow.hours, rel=0.02)
    assert fast.purchases == pytest.approx(slow.purchases, rel=0.02)
    assert fast.last == pytest.approx(slow.last, abs=1)
    assert fast.uneven == pytest.approx(slow.uneven, abs=0.1)
