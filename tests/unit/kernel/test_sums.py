"""Rows that the kernel adds up are those that a plain dictionary gives, byte for byte in its order."""

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kernel.reading import Reading, group_of
from kernel.sums import add_up

PART = 5
figure = st.integers(-(2**40), 2**40)
skus = st.sampled_from(["1", "2", 'qu"ote', "back\\slash", "æ" * 64, "x" * 31, "x" * 32, "4" * 128]) | st.text(
    st.characters(exclude_categories=["Cc", "Cs"]), min_size=1, max_size=9
)
receipt = st.tuples(
    st.sampled_from([1, 1, 1, -1]),
    st.sampled_from(["USD", "NOK", "EUR"]),
    st.sampled_from(["2026-01-01", "1970-01-01", "2105-12-31"]),
    st.lists(st.tuples(skus, figure, figure, figure, figure, figure), min_size=1, max_size=7),
)
windows = st.lists(st.lists(receipt, min_size=1, max_size=4), min_size=1, max_size=4)


def reading_of():
    return Reading([], [], [], 0, [])


def items_of(reading, receipts, offset=0, sign=None):
    """One window's receipts as the fold gives them, their offsets counted on."""
    found = []
    for number, (own, currency, day, lines) in enumerate(receipts):
        first = reading.add(lines)
        found += (first, len(lines), group_of(currency, day), offset + number, own if sign is None else sign)
    return found


def oracle(rows, receipts, offset):
    """The same by dictionaries; returns the rows that changed, in the order of the rows."""
    changed = set()
    for number, (sign, currency, day, lines) in enumerate(receipts):
        for sku, *figures in lines:
            row = rows.setdefault(currency, {}).setdefault(day, {}).setdefault(sku, [0, 0, 0, 0, 0, 0, -1])
            changed.add((currency, day, sku))
            for at, value in enumerate(figures):
                row[at] += value
            if row[6] != offset + number:
                row[5] += sign
                row[6] = offset + number
    return {
        currency: found
        for currency, days in rows.items()
        if (
            found := {
                day: part
                for day, by_sku in days.items()
                if (part := {sku: row for sku, row in by_sku.items() if (currency, day, sku) in changed})
            }
        )
    }


def merged(parts):
    """The rows of several parts of JSON, each row once."""
    rows = {}
    for part in parts:
        for currency, days in msgspec.json.decode(part).items():
            for day, by_sku in days.items():
                place = rows.setdefault(currency, {}).setdefault(day, {})
                assert not place.keys() & by_sku.keys()
                place |= by_sku
    return rows


@given(st.lists(windows, min_size=1, max_size=3))
@settings(max_examples=400, deadline=None)
def test_chunk_by_chunk_the_rows_are_those_of_a_dictionary(chunks):
    totals, states, offset = {}, {}, 0
    for chunk in chunks:
        reading = reading_of()
        items, wanted = [], []
        for number, receipts in enumerate(chunk):
            items.append(items_of(reading, receipts, offset))
            wanted.append(oracle(totals.setdefault(number, {}), receipts, offset))
            offset += len(receipts)
        found = add_up([states.get(number, b"") for number in range(len(chunk))], items, reading, PART)
        for number, (rows, parts) in enumerate(found):
            states[number] = rows
            assert rows == msgspec.msgpack.encode(totals[number])
            assert merged(parts) == wanted[number]
            many = sum(len(skus) for days in wanted[number].values() for skus in days.values())
            if many <= PART:
                assert parts == [msgspec.json.encode(wanted[number])]
            assert all(sum(len(s) for d in msgspec.json.decode(p).values() for s in d.values()) <= PART for p in parts)


def test_rows_that_hold_a_receipt_already_are_sent_again_as_they_are():
    first = [(1, "USD", "2026-01-01", [("a", 1, 0, 2, 0, 0), ("b", 1, 0, 3, 0, 0)])]
    reading = reading_of()
    [(rows, _)] = add_up([b""], [items_of(reading, first, 7)], reading, PART)
    again = [(1, "USD", "2026-01-01", [("b", 1, 0, 3, 0, 0)])]
    [(same, [part])] = add_up([rows], [items_of(reading, again, 7, sign=0)], reading, PART)
    assert same == rows
    assert msgspec.json.decode(part) == {"USD": {"2026-01-01": {"b": [1, 0, 3, 0, 0, 1, 7]}}}


@pytest.mark.parametrize("number", [0, 1, 31, 127, 128, 255, 256, 65_535, 65_536, 2**32 - 1, 2**32, 2**63 - 1])
@pytest.mark.parametrize("sign", [1, -1])
def test_figures_of_every_length_come_back(number, sign):
    reading = reading_of()
    lines = [("a", sign * number, -sign * number, 0, sign * number, -number)]
    [(rows, _)] = add_up([b""], [items_of(reading, [(1, "USD", "2026-01-01", lines)])], reading, PART)
    wanted = {"USD": {"2026-01-01": {"a": [*lines[0][1:], 1, 0]}}}
    assert rows == msgspec.msgpack.encode(wanted)
    [(_, [part])] = add_up([rows], [items_of(reading, [(0, "USD", "2026-01-01", lines)], sign=0)], reading, PART)
    assert msgspec.json.decode(part) == wanted


def test_totals_beyond_64_bits_are_an_error_and_no_other_number():
    reading = reading_of()
    receipts = [
        (1, "USD", "2026-01-01", [("a", 2**63 - 1, 0, 0, 0, 0)]),
        (1, "USD", "2026-01-01", [("a", 1, 0, 0, 0, 0)]),
    ]
    with pytest.raises(OverflowError):
        add_up([b""], [items_of(reading, receipts)], reading, PART)


@given(st.binary(max_size=80))
@settings(deadline=None)
def test_rows_that_are_not_as_they_were_written_are_an_error(noise):
    reading = reading_of()
    items = items_of(reading, [(1, "USD", "2026-01-01", [("a", 1, 0, 0, 0, 0)])])
    [(rows, _)] = add_up([b""], [items], reading, PART)
    for cut in range(1, len(rows)):
        with pytest.raises(ValueError, match="not as they were written"):
            add_up([rows[:cut]], [items], reading, PART)
    try:
        add_up([noise], [items], reading, PART)
    except ValueError as fault:
        assert str(fault)  # noqa: PT017  # most noise is refused; what passes must not crash


def test_many_currencies_and_dates_of_one_window_stay_apart():
    days = [f"{year}-{month:02}-{day:02}" for year in range(1970, 2000) for month in range(1, 13) for day in (1, 28)]
    codes = [f"{a}{b}X" for a in "ABCDEFGHIJ" for b in "ABCDEFGHIJ"]
    receipts = [(1, codes[at % 100], day, [("a", 1, 0, at, 0, 0)]) for at, day in enumerate(days * 3)]
    reading, totals = reading_of(), {}
    wanted = oracle(totals, receipts, 0)
    [(rows, parts)] = add_up([b""], [items_of(reading, receipts)], reading, PART)
    assert rows == msgspec.msgpack.encode(totals)
    assert merged(parts) == wanted
