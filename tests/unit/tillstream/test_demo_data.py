"""The demo's receipts against sums taken straight from the package's file, in exact integers."""

import json
from collections import Counter
from fractions import Fraction

import polars as pl
import pytest

from schemas.decode import decode
from tillstream.local import demo_data


@pytest.fixture(scope="module")
def receipts():
    return list(demo_data.receipts())


@pytest.fixture(scope="module")
def file():
    return pl.read_parquet(demo_data.folder() / "transactions.parquet")


def test_every_basket_is_one_receipt_and_no_line_is_missing(receipts):
    assert len(receipts) == demo_data.RECEIPTS == 155_848
    assert sum(receipt.lines for receipt in receipts) == demo_data.LINES == 1_469_307
    assert len({receipt.store_id for receipt in receipts}) == demo_data.STORES == 457


def test_totals_per_store_and_sku_equal_those_of_the_file(receipts, file):
    ours = Counter()
    for receipt in receipts:
        decoded = decode(receipt.value)
        lines = decoded.lines
        for sku, quantity, amount, discount in zip(
            lines.sku, lines.quantity, lines.amount, lines.discount, strict=True
        ):
            ours[decoded.store_id, sku, "units"] += quantity
            ours[decoded.store_id, sku, "revenue"] += amount
            ours[decoded.store_id, sku, "discount"] += discount
    # Python's own round of each float's exact value, by other code than the one under test.
    tens = {value: round(Fraction(value) * 100) * 100 for name in MONEY for value in file[name].unique()}
    theirs = Counter()
    for store, sku, quantity, sales, retail, match in file.select(
        "store_id", "product_id", "quantity", *MONEY
    ).iter_rows():
        theirs[str(store), str(sku), "units"] += quantity * 100_000
        theirs[str(store), str(sku), "revenue"] += tens[sales]
        theirs[str(store), str(sku), "discount"] += tens[retail] + tens[match]
    assert ours == theirs


MONEY = ("sales_value", "retail_disc", "coupon_match_disc")


def test_each_float_is_the_nearest_to_its_cents_but_for_dust_around_zero(file):
    for name in MONEY:
        for value in file[name].unique():
            cents = round(Fraction(value) * 100)
            assert value == cents / 100 or (cents == 0 and 0 < value < 1e-14)


def test_a_basket_has_one_store_one_time_and_one_household(file):
    of_basket = file.group_by("basket_id").agg(pl.col("store_id", "transaction_timestamp", "household_id").n_unique())
    assert of_basket.select(pl.max_horizontal(pl.exclude("basket_id")).max()).item() == 1


def test_receipts_come_in_the_order_of_time(receipts):
    times = [receipt.occurred_at for receipt in receipts]
    assert times == sorted(times)


def test_what_is_said_beside_the_message_is_what_the_message_says(receipts):
    for receipt in receipts[::1000]:
        decoded = decode(receipt.value)
        assert (decoded.store_id, decoded.occurred_at, len(decoded.lines.sku)) == (
            receipt.store_id,
            receipt.occurred_at,
            receipt.lines,
        )


def test_a_message_looks_as_the_contract_maps_it(receipts):
    assert json.loads(receipts[0].value) == {
        "transaction_id": "31198570044",
        "store_id": "330",
        "occurred_at": "2017-01-01T11:53:26Z",
        "currency": "USD",
        "customer_id": "900",
        "lines": [{"sku": "1095275", "quantity": "1", "amount": "0.50", "discount": "0.00"}],
    }


def test_lines_of_quantity_0_stay(receipts):
    zeros = sum(decode(receipt.value).lines.quantity.count(0) for receipt in receipts)
    assert zeros == 8_869


def test_a_limit_gives_the_first_receipts(receipts):
    assert list(demo_data.receipts(7001)) == receipts[:7001]
    assert list(demo_data.receipts(0)) == []


def test_every_product_has_a_name_and_all_but_17_of_the_skus_that_were_sold_are_among_them(file):
    products = {product.sku: product for product in demo_data.products()}
    assert len(products) == demo_data.PRODUCTS == 92_331
    assert all(product.name for product in products.values())
    sold = {str(sku) for sku in file["product_id"].unique()}
    assert len(sold) == 68_509
    assert len(sold - products.keys()) == 17
