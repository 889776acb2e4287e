"""Integers to Arrow columns: exact over the whole range that the contract allows."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from sinks import columns

UNIX = datetime(1970, 1, 1, tzinfo=UTC)
# Totals of one window stay below 10^13 in whole units.
totals = st.integers(-(10**17), 10**17)


@given(st.lists(totals))
def test_quantities_and_money_are_exact_decimals(numbers):
    quantities, money = columns.quantity(numbers), columns.money(numbers)
    assert quantities.type == pa.decimal128(18, 5)
    assert money.type == pa.decimal128(18, 4)
    assert quantities.to_pylist() == [Decimal(number).scaleb(-5) for number in numbers]
    assert money.to_pylist() == [Decimal(number).scaleb(-4) for number in numbers]


@given(st.lists(st.integers(0, 4_291_747_199_999_999)))
def test_moments_keep_every_microsecond(moments):
    wanted = [UNIX + timedelta(microseconds=moment) for moment in moments]
    assert columns.micros(moments).to_pylist() == wanted
    whole = [moment - moment % 1_000_000 for moment in moments]
    assert columns.seconds(whole).to_pylist() == [UNIX + timedelta(microseconds=moment) for moment in whole]
    millis = [moment // 1000 for moment in moments]
    assert columns.millis(millis).to_pylist() == [UNIX + timedelta(milliseconds=moment) for moment in millis]


@given(st.lists(st.dates(date(1970, 1, 1), date(2105, 12, 31))))
def test_dates_are_days(days):
    assert columns.dates([day.isoformat() for day in days]).to_pylist() == days


def test_integers_are_unsigned_of_the_tables_width():
    assert [columns.unsigned([1], bits).type for bits in (16, 32, 64)] == [pa.uint16(), pa.uint32(), pa.uint64()]
    assert columns.unsigned([2**64 - 1], 64).to_pylist() == [2**64 - 1]
