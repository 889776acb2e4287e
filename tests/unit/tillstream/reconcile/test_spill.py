"""Line rows by way of the disk: the same totals as adding them up in memory, exactly."""

from __future__ import annotations

import itertools
from collections import Counter, defaultdict

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from schemas.receipt import Lines, Receipt
from tillstream.reconcile import spill as spill_module
from tillstream.reconcile.oracle import Counted
from tillstream.reconcile.spill import DATE_KEY, DAY, FIGURES, KEY, Spill, first_of_each

SKUS = st.sampled_from(["a", "b", "c"])
AMOUNTS = st.integers(0, 10**13 - 1)


@st.composite
def receipts(draw):
    many = draw(st.integers(1, 4))
    flags = st.none() | st.lists(st.booleans(), min_size=many, max_size=many)
    columns = [draw(st.lists(AMOUNTS, min_size=many, max_size=many)) for _ in range(4)]
    lines = Lines(draw(st.lists(SKUS, min_size=many, max_size=many)), *columns, draw(flags), draw(flags))
    start = draw(st.integers(0, 4)) * DAY + draw(st.integers(0, 3)) * 300_000_000
    date, kind = draw(st.sampled_from(["1970-01-01", "1970-01-02"])), draw(st.sampled_from(["sale", "post_void"]))
    return Counted(0, start, Receipt("t", draw(st.sampled_from("12")), start, "NOK", date, kind, lines))


def added_up(counted):
    """Totals by (store, SKU, currency, window, date) and receipts by (store, window), in plain Python."""
    rows, stores = defaultdict(lambda: [0] * 6), Counter()
    for _, start, receipt in counted:
        turn, lines, seen = -1 if receipt.type == "post_void" else 1, receipt.lines, set()
        stores[receipt.store_id, start] += turn
        for at, sku in enumerate(lines.sku):
            if lines.void and lines.void[at]:
                continue
            back = bool(lines.returned and lines.returned[at])
            row = rows[receipt.store_id, sku, receipt.currency, start, receipt.business_date]
            row[1 if back else 0] += turn * lines.quantity[at]
            for figure, values in ((2, lines.amount), (3, lines.discount), (4, lines.tax)):
                row[figure] += (-turn if back else turn) * values[at]
            row[5] += 0 if sku in seen else turn
            seen.add(sku)
    return rows, stores


def summed(rows, places):
    found = defaultdict(lambda: [0] * 6)
    for key, figures in rows.items():
        row = found[tuple(key[place] for place in places)]
        row[:] = [a + b for a, b in zip(row, figures, strict=True)]
    return {key: tuple(figures) for key, figures in found.items()}


def as_dict(frames, key):
    frame = pl.concat(frames).group_by(key).agg(pl.col(FIGURES).sum())
    return {row[: len(key)]: row[len(key) :] for row in frame.select(key + FIGURES).iter_rows()}


@pytest.mark.parametrize(("per_part", "per_range"), [(1, 1), (5, 7), (1000, 1000)])
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(counted=st.lists(receipts(), max_size=20))
def test_totals_by_row_by_date_and_by_store_are_exact(tmp_path_factory, monkeypatch, per_part, per_range, counted):
    monkeypatch.setattr(spill_module, "LINES_PER_PART", per_part)
    monkeypatch.setattr(spill_module, "LINES_PER_RANGE", per_range)
    spill = Spill(tmp_path_factory.mktemp("spill"))
    for one in counted:
        spill.add(one)
    ranges = spill.ranges()
    assert all(after <= first for (_, after), (first, _) in itertools.pairwise(ranges)), "each day once"
    rows, stores = added_up(counted)
    if ranges:
        assert as_dict([spill.rows(*days) for days in ranges], KEY) == summed(rows, (0, 1, 2, 3))
        assert as_dict([spill.dates(*days) for days in ranges], DATE_KEY) == summed(rows, (0, 2, 4))
    found = {row[:2]: row[2] for days in ranges for row in spill.stores(*days).iter_rows()}
    assert found == dict(stores)


def test_the_first_line_of_each_sku_counts_as_a_receipt():
    assert first_of_each(["a", "b", "a", "b", "c"]) == [1, 1, 0, 0, 1]
    assert first_of_each(["a", "b"]) == [1, 1]
