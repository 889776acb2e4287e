"""Which of several settings holds for a SKU in a store."""

from __future__ import annotations

import pytest

from streams.restock.policy import DEFAULT, Policies, PolicyRule

ANY, STORE = PolicyRule({"lead_time": 1.0}), PolicyRule({"lead_time": 2.0}, store="12")
CATEGORY, CATEGORY_STORE = (
    PolicyRule({"lead_time": 3.0}, category="dairy"),
    PolicyRule({"lead_time": 4.0}, category="dairy", store="12"),
)
SKU, SKU_STORE = PolicyRule({"lead_time": 5.0}, sku="milk"), PolicyRule({"lead_time": 6.0}, sku="milk", store="12")
SKU_CATEGORY = PolicyRule({"lead_time": 7.0}, sku="milk", category="dairy")
IN_ORDER = [ANY, STORE, CATEGORY, CATEGORY_STORE, SKU, SKU_STORE, SKU_CATEGORY]


@pytest.mark.parametrize("more", range(1, len(IN_ORDER) + 1))
def test_a_sku_goes_before_its_category_and_either_in_a_store_before_everywhere(more):
    rules = IN_ORDER[:more]
    for written in (rules, rules[::-1]):
        assert Policies(written).of("12", "milk", "dairy").lead_time == rules[-1].settings["lead_time"]


@pytest.mark.parametrize(
    ("store", "sku", "category", "lead_time"),
    [
        ("12", "milk", "dairy", 7.0),
        ("12", "milk", "", 6.0),
        ("13", "milk", "", 5.0),
        ("12", "butter", "dairy", 4.0),
        ("13", "butter", "dairy", 3.0),
        ("12", "bread", "bakery", 2.0),
        ("13", "bread", "bakery", 1.0),
    ],
)
def test_what_a_rule_does_not_name_it_does_not_set(store, sku, category, lead_time):
    assert Policies(IN_ORDER).of(store, sku, category).lead_time == lead_time


def test_each_setting_comes_from_the_most_specific_rule_that_has_it():
    wide = PolicyRule({"lead_time": 5.0, "service_level": 0.9}, category="dairy")
    narrow = PolicyRule({"service_level": 0.99}, sku="milk")
    policy = Policies([narrow, wide]).of("12", "milk", "dairy")
    assert (policy.lead_time, policy.service_level, policy.pack) == (5.0, 0.99, DEFAULT.pack)


def test_of_equals_the_one_that_is_written_last_holds():
    rules = [PolicyRule({"pack": 1}, sku="milk"), PolicyRule({"pack": 2}, sku="milk")]
    assert Policies(rules).of("12", "milk").pack == 2


def test_a_reorder_point_of_nothing_is_a_setting_too():
    assert Policies([PolicyRule({"reorder_point": 0})]).of("12", "milk").reorder_point == 0


def test_without_settings_the_default_holds():
    assert Policies().of("12", "milk", "dairy") is DEFAULT
