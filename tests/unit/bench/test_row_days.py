"""Rows of totals: one number as key, summed, the newest of each, compared, and kept by day."""

from __future__ import annotations

import numpy as np
import pytest
from lib import row_check, row_days
from lib.row_days import ROW, RowDays
from lib.tills import name_of

from schemas.window import WindowMessage

DAY_TWO = row_days.keys(0, 288, 0)
START = 1_725_235_200_000_000  # 2024-09-02


def rows(*given):
    found = np.zeros(len(given), ROW)
    for at, (key, version, revenue) in enumerate(given):
        found[at]["key"], found[at]["version"], found[at]["revenue"] = key, version, revenue
    return found


def pairs(found):
    return [(int(row["key"]), int(row["revenue"])) for row in found]


def test_no_two_rows_share_a_key():
    made = {int(row_days.keys(*one)) for one in [(0, 0, 1), (0, 1, 0), (1, 0, 0), (499, 25_919, 65_535), (0, 0, 0)]}
    assert len(made) == 5


def test_rows_of_a_key_are_added_up():
    assert pairs(row_days.summed(rows((7, 0, 1), (3, 0, 5), (7, 0, 10)))) == [(3, 5), (7, 11)]


def test_the_newest_row_of_a_key_counts_whenever_it_came():
    assert pairs(row_days.newest(rows((7, 9, 1), (3, 1, 5), (7, 2, 10), (7, 9, 1)))) == [(3, 5), (7, 1)]


@pytest.mark.parametrize(
    ("found", "differ"),
    [([(3, 0, 5), (7, 0, 1)], 0), ([(3, 0, 5)], 1), ([(3, 0, 5), (7, 0, 2)], 1), ([(3, 0, 5), (8, 0, 1)], 2), ([], 2)],
)
def test_a_row_that_is_missing_too_many_or_another_is_a_difference(found, differ):
    assert row_days.differences(rows((3, 0, 5), (7, 0, 1)), rows(*found)) == differ


def test_nothing_sums_to_nothing():
    assert len(row_days.summed(rows())) == len(row_days.newest(rows())) == 0


def test_rows_lie_by_the_day_of_their_window_in_the_order_in_which_they_came(tmp_path):
    kept = RowDays(tmp_path / "rows")
    kept.add(rows((5, 1, 1), (DAY_TWO, 1, 2)))
    kept.add(rows((5, 2, 3)))
    assert kept.days() == {0, 1}
    assert pairs(kept.rows(0)) == [(5, 1), (5, 3)]
    assert pairs(kept.rows(1)) == [(int(DAY_TWO), 2)]
    assert len(kept.rows(2)) == 0


def message(day=0, **changes):
    figures = {"7038010000004": [100_000, 0, 598_000, 0, 78_000, 1, 40]}
    fields = {"window_start": START + 300_000_000, "rows": {"NOK": {name_of(day): figures}}, **changes}
    return WindowMessage(1, 0, "12", receipts=3, version=41, **fields)


def test_a_message_becomes_its_rows_and_one_of_its_receipts():
    sold, its = row_check.rows_of(message())
    assert sold.tolist() == (int(row_days.keys(11, 1, 4)), 40, 100_000, 0, 598_000, 0, 78_000, 1)
    assert its.tolist() == (int(row_days.keys(11, 1, row_days.ITS_RECEIPTS)), 41, 0, 0, 0, 0, 0, 3)


@pytest.mark.parametrize("wrong", [{"window_start": START + 1_000_000}, {"day": 1}, {"rows": {"SEK": {}}}])
def test_a_message_of_another_chain_is_no_match_for_any_row(wrong):
    with pytest.raises(ValueError, match="Not of this chain"):
        row_check.rows_of(message(**wrong))


def test_days_are_compared_one_by_one_also_those_that_only_one_side_has(tmp_path):
    wanted, found = RowDays(tmp_path / "wanted"), RowDays(tmp_path / "found")
    wanted.add(rows((5, 0, 1), (5, 0, 1), (6, 0, 1)))
    found.add(rows((5, 1, 1), (5, 2, 2), (6, 1, 1), (DAY_TWO, 1, 2)))
    assert list(row_check.wrong_rows(tmp_path / "wanted", tmp_path / "found")) == [(0, 2, 0), (1, 0, 1)]
