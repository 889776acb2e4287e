"""What restock is told of SKUs and of campaigns: names, rates of like stores, promotions, and how they take turns."""

from __future__ import annotations

import pytest

from schemas.feed import Campaign, Catalogue, Known, PoliciesSet, PolicySetting
from streams.restock.demand import PRIOR_HOURS, Prior
from streams.restock.standing import standing
from streams.restock.trading import HOURS_A_DAY
from tests.unit.streams.restock.feeds import DAY, HOUR, MONDAY, UNIT, Feed, at, usual_week
from tests.unit.streams.restock.test_time_lines import counted, feed_opened

NAMES = Known("Milk 1 l", "Dairy", "Milk", "Fjord")
RATES = Known(purchases_an_hour=0.5, units_a_purchase=2.0)


def catalogue(*known):
    return [Catalogue(skus={"milk": one}) for one in known]


def campaign(since="Mon 10:00", until="Mon 20:00", name="c", skus=("milk",), stores=()):
    return Campaign(campaign_id=name, skus=list(skus), since=at(since), until=at(until), stores=list(stores))


@pytest.mark.parametrize("order", [(NAMES, RATES), (RATES, NAMES), (NAMES, RATES, NAMES), (RATES, NAMES, RATES)])
@pytest.mark.parametrize("tracked_first", [True, False])
def test_names_leave_the_rates_alone_and_rates_the_names(order, tracked_first):
    feed = counted() if tracked_first else Feed()
    for message in catalogue(*order):
        feed.tell(message)
    if not tracked_first:
        feed.move("count", "Mon 08:00", 10)
    assert feed.item.prior == Prior(0.5, 2.0)
    assert (feed.item.product.name, feed.item.product.category) == ("Milk 1 l", "Milk")


def test_newer_names_and_newer_rates_each_replace_the_older_ones_as_a_whole():
    feed = counted()
    told = (NAMES, RATES, Known("Milk", brand="Dal"), Known(purchases_an_hour=0.25, units_a_purchase=1.5))
    for message in catalogue(*told):
        feed.tell(message)
    assert feed.item.prior == Prior(0.25, 1.5)
    product = feed.item.product
    assert (product.name, product.department, product.category, product.brand) == ("Milk", "", "", "Dal")


def test_partitions_that_are_told_of_a_sku_at_different_times_know_what_they_were_told():
    ahead, behind = Feed(), Feed()
    for message in catalogue(NAMES, RATES):
        ahead.tell(message)
    behind.tell(*catalogue(NAMES))
    assert behind.state.known == {"milk": NAMES}
    assert ahead.state.known["milk"].purchases_an_hour == 0.5
    behind.tell(*catalogue(RATES))
    assert behind.state.known == ahead.state.known
    # Kept once, whoever was ahead.
    assert behind.state.known["milk"].name is ahead.state.known["milk"].name
    assert ahead.state.known["milk"] is not behind.state.known["milk"]
    third = Feed()
    third.tell(*catalogue(behind.state.known["milk"]))
    assert third.state.known["milk"] is behind.state.known["milk"]


def test_a_category_brings_its_policy_at_the_stores_next_sale_whatever_is_sold():
    feed = counted(10)
    rules = [PolicySetting(category="Milk", reorder_point=12 * UNIT)]
    feed.tell(PoliciesSet(version="1", since=0, rules=rules))
    feed.sell("Mon 09:00", units=0)
    assert feed.lines() == []
    feed.tell(*catalogue(NAMES))
    feed.sell("Mon 09:05", units=0)
    assert feed.lines() == ["reorder_point raised"]
    assert feed.alerts[0].product.name == "Milk 1 l"


def test_a_sku_without_sales_of_its_own_starts_at_what_like_stores_sell():
    feed = Feed()
    feed.tell(*catalogue(RATES))
    feed.sell("Mon 07:55", units=0)
    feed.move("count", "Mon 08:00", 10)
    feed.open("Mon 08:00")
    shop = feed.state.shops["12"]
    told = standing(shop, feed.item, 0)
    assert told.demand_a_day == pytest.approx(0.5 * 2.0 * HOURS_A_DAY)
    assert told.days_of_cover == pytest.approx(10 / told.demand_a_day)
    # What the store shows itself outweighs it by and by: here that nobody buys it.
    for hour in range(31):
        feed.sell(at("Mon 08:30") + hour * HOUR, units=0, receipts=10)
    assert feed.item.demand.hours > 25
    rate = feed.item.demand.rate(feed.item.prior).rate
    assert rate == pytest.approx(PRIOR_HOURS * 0.5 / (PRIOR_HOURS + feed.item.demand.hours))


def running(feed):
    return feed.item.promoted


def test_a_campaign_that_has_begun_before_it_is_told_holds_from_the_stores_next_sale_on():
    feed = counted(100)
    feed.sell("Mon 12:00", 1)
    feed.tell(campaign("Mon 10:00", "Mon 20:00"))
    assert not running(feed)
    feed.sell("Mon 12:05", units=0)
    assert running(feed)
    feed.sell("Mon 12:10", 3)
    # What was sold before it was told stays base demand.
    assert (feed.item.demand.purchases, feed.item.promotion.purchases) == pytest.approx((1, 1), abs=0.02)


def test_a_campaign_ends_by_the_stores_time_though_nobody_buys():
    feed = counted(100)
    feed.tell(campaign("Mon 10:00", "Mon 12:00"))
    feed.sell("Mon 11:00", 1)
    assert running(feed)
    feed.sell("Mon 11:59", units=0)
    assert running(feed)
    feed.sell("Mon 12:00", units=0)
    assert not running(feed)


def test_the_silence_after_a_campaign_is_judged_by_the_base():
    # Two weeks of one a day; a week's campaign with one an hour; then nobody buys for a day, as is usual without it.
    feed = feed_opened(Feed())
    usual_week(feed, every=12)
    feed.tell(campaign("Mon 08:00", "Mon+7 08:00"))
    for day in range(7):
        for hour in range(9, 21):
            feed.sell(MONDAY + day * DAY + hour * HOUR, 1, receipts=10)
    for hour in range(9, 21):
        feed.sell(MONDAY + 7 * DAY + hour * HOUR, units=0, receipts=10)
    assert feed.lines("silent_shelf") == []


@pytest.mark.parametrize(
    "after",
    [
        campaign("Mon 10:00", "Mon 10:00"), campaign("Mon 10:00", "Mon 11:00"), campaign(skus=["bread"]),
        campaign(stores=["13"]),
    ],
    ids=["cancelled", "shorter", "another SKU", "another store"],
)  # fmt: skip
def test_a_campaign_is_replaced_by_the_next_of_its_id(after):
    feed = counted(100)
    feed.tell(campaign(stores=["12"]))
    feed.sell("Mon 12:00", 1)
    assert running(feed)
    feed.tell(after)
    feed.sell("Mon 12:05", units=0)
    assert not running(feed)


def test_a_sku_that_is_tracked_during_a_campaign_leaves_it_on_time():
    feed = Feed()
    feed.tell(campaign("Mon 10:00", "Mon 12:00"))
    feed.sell("Mon 10:55", units=0)
    feed.move("count", "Mon 11:00", 10)
    feed.open("Mon 11:00")
    assert running(feed)
    feed.sell("Mon 12:00", units=0)
    assert not running(feed)


def test_what_is_told_again_changes_nothing():
    feed = counted()
    for message in (*catalogue(NAMES, RATES), campaign()):
        feed.tell(message)
    due, known = list(feed.state.shops["12"].due), dict(feed.state.known)
    for message in (*catalogue(RATES, NAMES), campaign()):
        feed.tell(message)
    assert (feed.state.shops["12"].due, feed.state.known) == (due, known)
