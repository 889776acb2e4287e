"""Windows that the kernel adds up are those that a plain dictionary gives, byte for byte in its order."""

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kernel.reading import COUNTED, Reading, group_of
from kernel.records import Record, Records
from kernel.sums import StoreNames, Windows, add_up
from schemas import window as window_messages
from streams.framed import Framed

PART, BATCH = 5, 700
STORES = ['a "quoted" \\ one', "æ", "12"]
NAMES = StoreNames([store.encode() for store in STORES], [window_messages.head_of(4, 3, store) for store in STORES])
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


def identity_of(offset):
    """Of every length that a number can have, beyond 63 bits too."""
    return (offset * 0x9E3779B97F4A7C15) % 2**64 >> (8 * (offset % 8))


def added(values, chunk, offset=0, sign=None):
    """Add each window's receipts to its value: (values, [(messages of rows, records)] by window), as decoded.

    A window is known by its place; offsets are counted on from receipt to receipt.
    """
    many = sum(map(len, chunk))
    log = Records.of([Record(offset + number, 0, b"", b"") for number in range(many)])
    reading, items, at = Reading(log, 0, []), [], 0
    for receipts in chunk:
        items.append([])
        for own, currency, day, lines in receipts:
            told = [(*line, 0) for line in lines]
            reading.put(at, COUNTED, identity_of(offset + at), 0, told, len(lines), group_of(currency, day))
            items[-1] += (at, own if sign is None else sign)
            at += 1
    places = range(len(chunk))
    found = add_up(
        Windows(values, [b"key %d" % place for place in places], list(places), [place % 3 for place in places]),
        items, reading, NAMES, PART, BATCH,
    )  # fmt: skip
    records, messages = Framed(found.records), Framed(found.messages)
    assert list(records) == [(b"key %d" % place, value, []) for place, value in zip(places, found.values, strict=True)]
    for batches in (found.records, found.messages):
        assert all(count == 1 or len(text) <= BATCH for count, text in batches)
    told = {place: [] for place in places}
    for key, value, _ in messages:
        message = window_messages.decode(value)
        assert value == window_messages.encode(message), "as msgspec writes it"
        assert (message.epoch, message.partition) == (4, 3)
        assert key.decode() == message.store_id == STORES[message.window_start % 3]
        told[message.window_start].append(message)
    return found.values, told


def only(value, receipts, offset=0, sign=None):
    """The same of one window: (value, messages)."""
    [after], told = added([value], [receipts], offset, sign)
    return after, told[0]


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


def merged(messages):
    """The rows of several messages, each row once."""
    rows = {}
    for message in messages:
        for currency, days in message.rows.items():
            for day, by_sku in days.items():
                place = rows.setdefault(currency, {}).setdefault(day, {})
                assert not place.keys() & by_sku.keys()
                place |= by_sku
    return rows


def rows_of(value):
    return msgspec.msgpack.decode(value)[3]


@given(st.lists(windows, min_size=1, max_size=3))
@settings(max_examples=400, deadline=None)
def test_chunk_by_chunk_the_windows_are_those_of_a_dictionary(chunks):
    totals, values, counted, offset = {}, {}, {}, 0
    for chunk in chunks:
        begun, wanted = offset, []
        for number, receipts in enumerate(chunk):
            wanted.append(oracle(totals.setdefault(number, {}), receipts, offset))
            ids, signs = counted.setdefault(number, ({}, []))
            ids |= {identity_of(offset + at): offset + at for at in range(len(receipts))}
            signs += [receipt[0] for receipt in receipts]
            offset += len(receipts)
        found, told = added([values.get(number, b"") for number in range(len(chunk))], chunk, begun)
        for number, value in enumerate(found):
            values[number] = value
            ids, signs = counted[number]
            applied = max(ids.values())
            assert value == msgspec.msgpack.encode((applied, sum(signs), ids, totals[number]))
            messages = told[number]
            assert merged(messages) == wanted[number]
            assert {(message.version, message.receipts) for message in messages} == {(applied, sum(signs))}
            many = [sum(len(s) for d in message.rows.values() for s in d.values()) for message in messages]
            assert len(many) == 1 or sum(many) > PART
            assert max(many) <= PART


def test_what_a_window_holds_already_is_sent_again_as_it_is():
    first = [(1, "USD", "2026-01-01", [("a", 1, 0, 2, 0, 0), ("b", 1, 0, 3, 0, 0)])]
    value, _ = only(b"", first, 7)
    again = [(1, "USD", "2026-01-01", [("b", 1, 0, 3, 0, 0)])]
    same, [message] = only(value, again, 7, sign=0)
    assert same == value
    assert message.rows == {"USD": {"2026-01-01": {"b": [1, 0, 3, 0, 0, 1, 7]}}}
    assert (message.version, message.receipts) == (7, 1)


@pytest.mark.parametrize("number", [0, 1, 31, 127, 128, 255, 256, 65_535, 65_536, 2**32 - 1, 2**32, 2**63 - 1])
@pytest.mark.parametrize("sign", [1, -1])
def test_figures_of_every_length_come_back(number, sign):
    lines = [("a", sign * number, -sign * number, 0, sign * number, -number)]
    value, _ = only(b"", [(1, "USD", "2026-01-01", lines)])
    wanted = {"USD": {"2026-01-01": {"a": [*lines[0][1:], 1, 0]}}}
    assert value == msgspec.msgpack.encode((0, 1, {identity_of(0): 0}, wanted))
    _, [message] = only(value, [(0, "USD", "2026-01-01", lines)], sign=0)
    assert message.rows == wanted


@pytest.mark.parametrize("many", [1, 15, 16, 65_535, 65_536])
def test_as_many_receipts_as_may_be_stand_in_a_window(many):
    receipts = [(1, "USD", "2026-01-01", [("a", 1, 0, 0, 0, 0)])] * many
    value, _ = only(b"", receipts)
    value, [message] = only(value, receipts[:1], offset=many)
    applied, counted, ids, rows = msgspec.msgpack.decode(value)
    assert (applied, counted, message.receipts) == (many, many + 1, many + 1)
    assert ids == {identity_of(at): at for at in range(many + 1)}
    assert rows == {"USD": {"2026-01-01": {"a": [many + 1, 0, 0, 0, 0, many + 1, many]}}}


def test_totals_beyond_64_bits_are_an_error_and_no_other_number():
    receipts = [
        (1, "USD", "2026-01-01", [("a", 2**63 - 1, 0, 0, 0, 0)]),
        (1, "USD", "2026-01-01", [("a", 1, 0, 0, 0, 0)]),
    ]
    with pytest.raises(OverflowError):
        only(b"", receipts)


@given(st.binary(max_size=80))
@settings(deadline=None)
def test_a_window_that_is_not_as_it_was_written_is_an_error(noise):
    receipts = [(1, "USD", "2026-01-01", [("a", 1, 0, 0, 0, 0)])]
    value, _ = only(b"", receipts)
    for cut in range(1, len(value)):
        with pytest.raises(ValueError, match="not as it was written"):
            only(value[:cut], receipts, 1)
    for begin in (b"", value[:1], value[:3], value[:9]):
        try:
            only(begin + noise, receipts, 1)
        except ValueError as fault:
            assert str(fault)  # noqa: PT017  # most noise is refused; what passes must not crash


def test_many_currencies_and_dates_of_one_window_stay_apart():
    days = [f"{year}-{month:02}-{day:02}" for year in range(1970, 2000) for month in range(1, 13) for day in (1, 28)]
    codes = [f"{a}{b}X" for a in "ABCDEFGHIJ" for b in "ABCDEFGHIJ"]
    receipts = [(1, codes[at % 100], day, [("a", 1, 0, at, 0, 0)]) for at, day in enumerate(days * 3)]
    totals = {}
    wanted = oracle(totals, receipts, 0)
    value, messages = only(b"", receipts)
    assert rows_of(value) == totals
    assert merged(messages) == wanted
