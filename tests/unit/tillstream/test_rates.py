"""What like stores sell of a SKU: by hand, and what is made of little evidence, of none, and of repeats."""

from __future__ import annotations

import pytest

from schemas.feed import Known
from tillstream.demand.rates import Sold, categories, learned, worth_telling


def sold(later, hours, purchases=None, units=None, stores=1):
    many = later + stores if purchases is None else purchases
    return Sold(stores, many, float(many if units is None else units), later, hours)


def rates(found):
    return {sku: (one.purchases_an_hour, one.units_a_purchase) for sku, one in found.items()}


def test_stores_are_pooled_by_their_hours():
    found = Sold()
    found.add(purchases=10, units=15.0, later=9, hours=20.0)
    found.add(purchases=1, units=1.0, later=0, hours=100.0)
    assert found == Sold(2, 11, 16.0, 9, 120.0)


def test_a_category_is_the_median_of_its_skus_that_were_bought_again():
    shown = {
        "a": sold(10, 100.0), "b": sold(30, 100.0, units=62), "c": sold(90, 100.0), "d": sold(0, 100.0),
        "other": sold(5, 1.0),
    }  # fmt: skip
    found = categories(shown, {"a": "Milk", "b": "Milk", "c": "Milk", "d": "Milk", "other": ""})
    assert found == {"Milk": (pytest.approx(0.3), 1.0)}


def test_evidence_outweighs_the_category_by_its_hours():
    shown = {"slow": sold(30, 3000.0), "quick": sold(300, 1000.0), "new": sold(0, 0.0, purchases=1, units=9)}
    found = rates(learned(shown, dict.fromkeys(("slow", "quick", "new", "never"), "Milk")))
    usual = (0.01 + 0.3) / 2
    assert found["slow"] == pytest.approx(((30 + 30 * usual) / 3030, 1.0), rel=1e-5)
    assert found["quick"] == pytest.approx(((300 + 30 * usual) / 1030, 1.0), rel=1e-5)
    # Sold in the last hour for the first time: nothing is known of how often, something of how much.
    assert found["new"] == pytest.approx((usual, 5.0))
    assert found["never"] == pytest.approx((usual, 1.0))


def test_without_sales_and_without_a_category_that_sells_nothing_is_told():
    assert rates(learned({}, {"a": "Milk", "b": ""})) == {}
    assert rates(learned({"c": sold(0, 30.0)}, {"a": "Milk", "b": ""})) == {
        "c": pytest.approx((1 / 336, 1.0), rel=1e-5)
    }


@pytest.mark.parametrize(
    ("before", "worth"),
    [
        (None, True), (Known("Milk"), True), (Known(purchases_an_hour=1.0, units_a_purchase=2.0), False),
        (Known(purchases_an_hour=0.91, units_a_purchase=2.0), False),
        (Known(purchases_an_hour=0.89, units_a_purchase=2.0), True),
        (Known(purchases_an_hour=1.0, units_a_purchase=2.3), True),
    ],
)  # fmt: skip
def test_only_what_differs_by_more_than_a_tenth_is_told_again(before, worth):
    assert worth_telling(before, Known(purchases_an_hour=1.0, units_a_purchase=2.0)) is worth
