"""`tillstream demand learn` from rows in ClickHouse to what restock expects of a SKU that a store has never sold."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest

from schemas import feed, topics
from schemas.feed import Catalogue
from streams.restock.decide import decide
from streams.restock.state import RestockState
from streams.windows import Windows
from tests.integration.test_catalogue import told
from tests.integration.test_stock_and_policy import everything
from tests.unit.streams.restock.feeds import GRACE, WIDTH, Feed
from tillstream import ch
from tillstream.outputs import OUTPUTS

pytestmark = pytest.mark.integration
TEN = datetime(2026, 11, 23, 10, tzinfo=UTC)


def store_window(store, hour, receipts, epoch=1, minute=0):
    start = TEN + timedelta(hours=hour, minutes=minute)
    return {
        "store_id": store, "window_start": start, "partition": 0, "epoch": epoch, "version": 1, "receipts": receipts,
    }  # fmt: skip


def sale(store, sku, hour, receipts, units, *, returned=0, minute=0, epoch=1, currency="NOK"):
    return {
        "store_id": store, "sku": sku, "currency": currency,
        "window_start": TEN + timedelta(hours=hour, minutes=minute), "business_date": date(2026, 11, 23),
        "partition": 0, "epoch": epoch, "version": 1, "units": Decimal(units), "returned": Decimal(returned),
        "revenue": Decimal(units), "discount": Decimal(0), "tax": Decimal(0), "receipts": receipts,
    }  # fmt: skip


STORE_WINDOWS = [
    # Store A: 10, 20, 10 and 20 receipts in its trading hours, the usual hour has 15.
    store_window("A", 0, 4), store_window("A", 0, 6, minute=30), store_window("A", 1, 20), store_window("A", 2, 10),
    store_window("A", 3, 15), store_window("A", 3, 5, minute=45),
    # Store B: two hours of 5, and a night between.
    store_window("B", -12, 5), store_window("B", 0, 5),
    store_window("A", -24 * 90, 1000), store_window("A", 2, 999, epoch=7),
]  # fmt: skip
SALES = [
    sale("A", "milk", 0, 2, 3), sale("A", "milk", 2, 1, 2), sale("A", "milk", 3, 1, 1),
    sale("A", "milk", 3, 1, 1, minute=5, currency="EUR"), sale("B", "milk", -12, 1, 1),
    # A return alone is no purchase; a purchase that was voided is none either.
    sale("A", "milk", 3, 1, 0, returned=1, minute=10),
    sale("A", "milk", 2, 1, 9, minute=30), sale("A", "milk", 2, -1, -9, minute=35),
    sale("A", "skim", 0, 1, 4), sale("A", "skim", 1, 1, 4),
    sale("A", "loose", 3, 1, "0.5"),
    # Before the eight weeks, and of an epoch that is not live.
    sale("A", "milk", -24 * 90, 500, 500), sale("A", "milk", 2, 70, 70, epoch=7),
]  # fmt: skip
PRODUCTS = [("milk", "Milk"), ("skim", "Milk"), ("cream", "Milk"), ("pen", "Office")]
# By hand. milk: after hour 0 of store A three purchases in 50 receipts, after the first of store B none in 5.
MILK_HOURS = 50 / 15 + 5 / 5
MILK, SKIM = 3 / MILK_HOURS, 1 / (50 / 15)
CATEGORY = (MILK + SKIM) / 2, (8 / 6 + 8 / 2) / 2
EXPECTED = {
    "milk": ((3 + 30 * CATEGORY[0]) / (MILK_HOURS + 30), (8 + CATEGORY[1]) / (6 + 1)),
    "skim": ((1 + 30 * CATEGORY[0]) / (50 / 15 + 30), (8 + CATEGORY[1]) / (2 + 1)),
    "cream": CATEGORY,
    "loose": (1 / 168, (0.5 + 1) / (1 + 1)),
}


@pytest.fixture
def sold(migrated):
    with ch.connect(migrated) as client:
        for table, rows in (("store_windows", STORE_WINDOWS), ("sales_windows", SALES)):
            client.insert(table, [list(one.values()) for one in rows], column_names=list(rows[0]))
        client.insert("products", PRODUCTS, column_names=["sku", "category"])
    return migrated


def learn(settings, command, *options):
    return json.loads(command(settings, "demand", "learn", "--json", *options).out)


def test_what_is_learned_is_what_a_person_computes_by_hand(sold, command):
    done = learn(sold, command)
    assert set(done) == set(OUTPUTS["demand learn"])
    assert (done["stores"], done["skus"], done["sold"], done["different"], done["partitions"]) == (2, 4, 3, 4, 4)
    assert (done["since"], done["until"]) == ("2026-09-28T13:45:00Z", "2026-11-23T13:45:00Z")
    for partition in told(sold):
        found = {sku: (one.purchases_an_hour, one.units_a_purchase) for sku, one in partition.items()}
        assert found == {sku: pytest.approx(rates, rel=1e-5) for sku, rates in EXPECTED.items()}
        assert {one.name for one in partition.values()} == {""}


def test_a_check_tells_nobody_and_a_repeat_adds_nothing(sold, command):
    assert "would tell restock of 4 that are new" in command(sold, "demand", "learn", "--check").out
    assert everything(sold, topics.FEED) == []
    assert "from 2 stores, 2026-09-28 to 2026-11-23" in command(sold, "demand", "learn").out
    many = len(everything(sold, topics.FEED))
    assert (learn(sold, command)["different"], len(everything(sold, topics.FEED))) == (0, many)
    # Another purchase of what is sold loose moves its units by less than a tenth; a hundred of milk, its rate by more.
    with ch.connect(sold) as client:
        row = sale("A", "loose", 3, 1, "0.8", minute=20)
        client.insert("sales_windows", [list(row.values())], column_names=list(row))
        assert learn(sold, command)["different"] == 0
        row = sale("A", "milk", 3, 100, 100, minute=25)
        client.insert("sales_windows", [list(row.values())], column_names=list(row))
    assert learn(sold, command)["different"] > 0


def test_names_and_rates_are_told_beside_each_other(sold, command, tmp_path):
    learn(sold, command)
    file = tmp_path / "products.ndjson"
    file.write_text('{"sku": "cream", "name": "Cream", "category": "Milk"}\n', "utf-8")
    assert json.loads(command(sold, "products", str(file), "--json").out)["told"] == 1
    assert learn(sold, command)["different"] == 0
    state = RestockState(Windows(WIDTH, GRACE))
    for offset, (*_, value) in enumerate(one for one in everything(sold, topics.FEED) if one[0] == 0):
        decide(state, offset, feed.decode(value))
    assert state.known["cream"].name == "Cream"
    assert state.known["cream"].purchases_an_hour == pytest.approx(CATEGORY[0], rel=1e-5)


def test_a_store_that_has_never_sold_a_sku_begins_with_what_was_learned(sold, command):
    learn(sold, command)
    new = Feed(store="C", sku="cream")
    for partition, _, value in everything(sold, topics.FEED):
        if partition == 2:
            message = feed.decode(value)
            assert isinstance(message, Catalogue)
            new.tell(message)
    new.sell("Mon 07:55", units=0)
    new.move("count", "Mon 08:00", 10)
    new.open("Mon 08:00")
    shop = new.state.shops["C"]
    shelf = new.item.shelf(shop.trading, shop.now)
    assert shelf.rate.rate == pytest.approx(CATEGORY[0], rel=1e-5)
    assert shelf.rate.units == pytest.approx(CATEGORY[1], rel=1e-5)


def test_before_anything_was_sold_there_is_nothing_to_learn(migrated, command):
    assert "no sales yet to learn from" in command(migrated, "demand", "learn", code=1).err
    assert everything(migrated, topics.FEED) == []
