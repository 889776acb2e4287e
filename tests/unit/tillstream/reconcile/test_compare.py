"""Two sides side by side: what is missing, extra or different, by the smallest unit."""

from __future__ import annotations

from decimal import Decimal

import polars as pl
import pyarrow as pa
import pytest

from tillstream.reconcile.compare import compare, count_differences, table_differences, to_frame

KEY, FIGURES = ["store_id"], ["units", "revenue", "receipts"]


def side(*rows):
    return pl.DataFrame(rows, schema=[*KEY, *FIGURES], orient="row")


def kinds(expected, found, limit=10):
    many, shown = compare("sales", expected, found, KEY, FIGURES, limit)
    return many, [(one.kind, one.key["store_id"]) for one in shown]


def test_equal_sides_in_any_order_have_no_difference():
    assert kinds(side(("1", 1, 2, 3), ("2", 0, 0, 0)), side(("2", 0, 0, 0), ("1", 1, 2, 3))) == (0, [])


def test_rows_are_missing_extra_or_different():
    expected = side(("1", 1, 2, 3), ("2", 0, 0, 0), ("3", 1, 1, 1))
    found = side(("1", 1, 2, 3), ("3", 1, 2, 1), ("4", 0, 0, 0))
    assert kinds(expected, found) == (3, [("missing", "2"), ("different", "3"), ("extra", "4")])
    assert kinds(expected, found, limit=1) == (3, [("missing", "2")])


@pytest.mark.parametrize(("value", "text"), [(1, "0.0001"), (-1, "-0.0001"), (598_000, "59.8000"), (0, "0.0000")])
def test_figures_are_shown_as_people_read_them(value, text):
    _, (one,) = compare("sales", side(("1", -100_000, value, 3)), side(("1", -100_000, value + 1, 3)), KEY, FIGURES, 1)
    assert one.expected == {"units": "-1.00000", "revenue": text, "receipts": "3"}


def test_clickhouses_decimals_become_scaled_integers_slices_and_empty_answers_too():
    numbers = [Decimal("-99999999999999.9999"), Decimal("0.0001"), Decimal(0), Decimal("59.8000")]
    table = pa.table({"d": pa.array(numbers, pa.decimal128(18, 4)), "s": pa.array([b"a", b"b", b"c", b"d"])})
    assert to_frame(table)["d"].to_list() == [-(10**18) + 1, 1, 0, 598_000]
    assert to_frame(table.slice(1, 2)).to_dict(as_series=False) == {"d": [1, 0], "s": ["b", "c"]}
    assert to_frame(table.slice(0, 0)).schema == {"d": pl.Int64, "s": pl.String}


def test_counts_differ_by_partition_and_result_and_a_missing_one_is_0():
    wanted = {0: {"folded": 3}, 1: {"late": 1}}
    assert count_differences(wanted, {0: {"folded": 3, "late": 0}, 1: {"late": 1}, 2: {}}) == []
    found = count_differences(wanted, {0: {"folded": 4}, 7: {"folded": 1}})
    assert [(one.key, one.expected, one.found) for one in found] == [
        ({"partition": 0, "result": "folded"}, {"messages": 3}, {"messages": 4}),
        ({"partition": 1, "result": "late"}, {"messages": 1}, {"messages": 0}),
        ({"partition": 7, "result": "folded"}, {"messages": 0}, {"messages": 1}),
    ]


def test_a_table_differs_by_its_messages_or_by_its_sum():
    wanted = {0: {"messages": 2, "paid": 10_000}, 1: {"messages": 0, "paid": 0}}
    assert table_differences("receipts", wanted, {0: {"messages": 2, "paid": 10_000}}) == []
    (one,) = table_differences("receipts", wanted, {0: {"messages": 2, "paid": 10_001}})
    assert (one.expected["paid"], one.found["paid"]) == ("1.0000", "1.0001")
    (one,) = table_differences("receipts", {}, {3: {"messages": 1, "paid": 0}})
    assert (one.key, one.expected["messages"], one.found["messages"]) == ({"partition": 3}, "0", "1")
