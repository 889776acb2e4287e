"""Which days a batch touches, and counts of them that only grow."""

from __future__ import annotations

import pyarrow as pa
import pytest

from sinks import columns
from sinks.batch import Rows
from sinks.touched import Touches, touched

DAY = 86_400_000_000


def rows(table, epochs, micros):
    """Rows with a time in each of the ways in which tables have one."""
    seconds, exact = columns.seconds(micros), columns.micros(micros)
    data = {"epoch": columns.unsigned(epochs, 32), "window_start": seconds, "occurred_at": exact}
    return Rows(table, pa.table(data), [None] * len(epochs))


@pytest.mark.parametrize("table", ["sales_windows", "late_lines", "receipts"])
def test_a_day_is_that_of_the_windows_start_or_the_receipts_time(table):
    times = [20_000 * DAY, 20_000 * DAY + DAY - 1_000_000, 20_001 * DAY, 20_001 * DAY + 5]
    assert touched(rows(table, [1, 1, 1, 2], times)) == {(1, 20_000), (1, 20_001), (2, 20_001)}


def test_other_tables_touch_no_day_of_sales():
    assert touched(rows("store_windows", [1], [20_000 * DAY])) == set()


def test_counts_of_a_day_grow_and_each_sink_has_its_own():
    one, other = Touches(), Touches()
    assert [row["touches"] for row in one.count({(1, 20_000), (1, 20_001)}).to_pylist()] == [1, 1]
    [again] = one.count({(1, 20_000)}).to_pylist()
    [first] = other.count({(1, 20_000)}).to_pylist()
    assert (again["epoch"], again["day"].isoformat(), again["touches"]) == (1, "2024-10-04", 2)
    assert first["touches"] == 1
    assert first["sink"] != again["sink"]
