"""Every rule of a receipt, as a table: what is read, and what is refused with which path and reason."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest

from schemas import decode as quick
from schemas import strict
from schemas.decode import decode
from schemas.errors import Refused
from schemas.receipt import MAX_BYTES, MAX_LINES
from tests.unit.schemas.receipts import ABSENT, RECEIPT, changed, encoded

LINE = RECEIPT["lines"][0]
CARD = "4111 1111 1111 1111"
DEEP = b"[" * 200_000 + b"]" * 200_000


def micros(text):
    return int(datetime.fromisoformat(text).astimezone(UTC).timestamp()) * 1_000_000


def test_a_receipt_is_read_whole_and_exactly():
    found = decode(encoded(RECEIPT))
    assert (found.transaction_id, found.store_id, found.till_id, found.sequence) == (
        "S12-T4-20261123-000871", "12", "4", 871,
    )  # fmt: skip
    assert found.occurred_at == micros("2026-11-23T16:05:09+00:00")
    assert (found.currency, found.business_date, found.type) == ("NOK", "2026-11-23", "sale")
    assert (found.customer_id, found.original_transaction_id) == ("opaque-token", None)
    lines = found.lines
    assert lines.sku == ["7038010055720", "2000000000017"]
    assert lines.quantity == [200_000, 75_400]
    assert lines.amount == [598_000, 1_123_500]
    assert lines.discount == [50_000, 0]
    assert lines.tax == [0, 0]
    assert lines.unit == [None, "kg"]
    assert (lines.returned, lines.void, lines.restocked) == (None, None, None)


def lines_of(**fields):
    return decode(encoded(changed("$.lines[0]", {**LINE, **fields}))).lines


@pytest.mark.parametrize(
    ("text", "units"),
    [
        ("0", 0), ("1", 100_000), ("0.00001", 1), ("999999.99999", 99_999_999_999), ("007", 700_000), ("1.50", 150_000),
    ],
)  # fmt: skip
def test_quantities_have_up_to_five_places(text, units):
    assert lines_of(quantity=text).quantity[0] == units


@pytest.mark.parametrize(
    ("number", "units"), [(b"0", 0), (b"2", 200_000), (b"0.1", 10_000), (b"1.10000", 110_000), (b"999999", 99999900000)]
)
def test_json_numbers_are_read_from_their_text(number, units):
    text = encoded(changed("$.lines[0].quantity", "QQ")).replace(b'"QQ"', number)
    assert decode(text).lines.quantity[0] == units


@pytest.mark.parametrize("field", ["amount", "discount", "tax"])
@pytest.mark.parametrize(
    ("text", "units"), [("0", 0), ("0.0001", 1), ("999999999.9999", 9_999_999_999_999), ("3", 30_000), ("0.10", 1_000)]
)
def test_money_has_up_to_four_places(field, text, units):
    assert getattr(lines_of(**{field: text}), field)[0] == units


@pytest.mark.parametrize("currency", ["NOK", "JPY", "KWD", "CLF", "DEM"])
def test_currencies_of_0_2_3_and_4_places_and_old_ones_are_read(currency):
    assert decode(encoded(changed("$.currency", currency))).currency == currency


@pytest.mark.parametrize(
    ("text", "moment", "day"),
    [
        ("2026-11-23T17:05:09Z", 1_795_453_509_000_000, "2026-11-23"),
        ("2026-11-23t17:05:09z", 1_795_453_509_000_000, "2026-11-23"),
        ("2026-11-23T17:05:09.123456789Z", 1_795_453_509_123_456, "2026-11-23"),
        ("2026-11-23T17:05:60Z", 1_795_453_559_000_000, "2026-11-23"),
        ("2026-11-24T01:05:09+08:00", 1_795_453_509_000_000, "2026-11-24"),
        ("2026-11-23T17:05:09-00:00", 1_795_453_509_000_000, "2026-11-23"),
        ("1970-01-01T00:00:00Z", 0, "1970-01-01"),
        ("2105-12-31T23:59:59.999999Z", 4_291_747_199_999_999, "2105-12-31"),
    ],
)
def test_times_are_moments_and_their_own_date_is_the_business_date(text, moment, day):
    receipt = changed("$.occurred_at", text)
    del receipt["business_date"]
    found = decode(encoded(receipt))
    assert (found.occurred_at, found.business_date) == (moment, day)


@pytest.mark.parametrize("path", ["$.till_id", "$.sequence", "$.type", "$.business_date", "$.customer_id"])
def test_null_in_an_optional_field_is_the_same_as_leaving_it_out(path):
    assert decode(encoded(changed(path, None))) == decode(encoded(changed(path, ABSENT)))


@pytest.mark.parametrize("field", ["discount", "tax", "kind", "void", "restocked", "unit", "line"])
def test_null_in_an_optional_field_of_a_line_likewise(field):
    without = {name: value for name, value in LINE.items() if name != field}
    absent = decode(encoded(changed("$.lines[0]", without)))
    assert decode(encoded(changed("$.lines[0]", {**without, field: None}))) == absent


def test_every_line_of_a_return_is_one():
    assert decode(encoded(changed("$.type", "return"))).lines.returned == [True, True]


@pytest.mark.parametrize(
    ("fields", "column", "flags"),
    [
        ({"kind": "return"}, "returned", [True, False]),
        ({"void": True}, "void", [True, False]),
        ({"restocked": True}, "restocked", [True, False]),
        ({"void": False}, "void", None),
        ({"kind": "sale"}, "returned", None),
    ],
)
def test_flags_stand_where_a_line_has_one(fields, column, flags):
    assert getattr(lines_of(**fields), column) == flags


@pytest.mark.parametrize("kind", ["sale", "return", "exchange", "void", "post_void", "training"])
def test_every_type_is_read(kind):
    found = decode(encoded(changed("$.type", kind)))
    assert found.type == kind
    assert found.reversal == (kind == "post_void")
    assert found.counts_nothing == (kind in ("void", "training"))


def test_a_receipt_with_void_lines_only_counts_nothing():
    receipt = changed("$.lines", [{**LINE, "void": True}])
    assert decode(encoded(receipt)).counts_nothing


def test_unknown_fields_are_ignored_at_any_depth():
    more = {**changed("$.lines[0]", {**LINE, "note": [1, {"a": "x"}], "\u00fc": None}), "shift": {"id": 7}}
    assert decode(encoded(more)) == decode(encoded(RECEIPT))


def test_ids_are_read_byte_for_byte():
    for text in ["é", "e\u0301", " 12 ", "007", "\U0001f6d2", "x" * 128]:
        found = decode(encoded(changed("$.lines[0].sku", text)))
        assert found.lines.sku[0] == text
        escaped = json.dumps(changed("$.lines[0].sku", text)).encode()
        assert decode(escaped) == found


REFUSED = [
    # path, value, part of the reason
    ("$.transaction_id", ABSENT, "is missing"),
    ("$.transaction_id", None, "is missing"),
    ("$.transaction_id", "", "1 to 128"),
    ("$.transaction_id", "x" * 129, "1 to 128"),
    ("$.transaction_id", 17, "must be a string"),
    ("$.transaction_id", "a\nb", "control character"),
    ("$.transaction_id", "a\x7fb", "control character"),
    ("$.transaction_id", "a\x85b", "control character"),
    ("$.store_id", ABSENT, "is missing"),
    ("$.store_id", 12, "must be a string"),
    ("$.store_id", "1\u00002", "control character"),
    ("$.till_id", "", "1 to 128"),
    ("$.till_id", ["4"], "must be a string"),
    ("$.sequence", "871", "whole number"),
    ("$.sequence", 1.5, "whole number"),
    ("$.sequence", 2**63, "whole number"),
    ("$.sequence", True, "whole number"),
    ("$.type", "refund", "one of sale, return"),
    ("$.type", 1, "one of sale, return"),
    ("$.occurred_at", ABSENT, "is missing"),
    ("$.occurred_at", "2026-11-23T17:05:09", "no offset"),
    ("$.occurred_at", "2026-11-23 17:05:09Z", "RFC 3339"),
    ("$.occurred_at", "2026-11-23T17:05Z", "RFC 3339"),
    ("$.occurred_at", "2026-11-23T17:05:09+0100", "RFC 3339"),
    ("$.occurred_at", "2026-11-23T17:05:09.Z", "RFC 3339"),
    ("$.occurred_at", "2026-13-23T17:05:09Z", "no moment"),
    ("$.occurred_at", "2026-02-30T17:05:09Z", "no moment"),
    ("$.occurred_at", "2026-11-23T24:05:09Z", "no moment"),
    ("$.occurred_at", "2026-11-23T17:05:61Z", "no moment"),
    ("$.occurred_at", "2026-11-23T17:05:09+24:00", "no moment"),
    ("$.occurred_at", "1969-12-31T23:59:59Z", "1970 to 2105"),
    ("$.occurred_at", "1970-01-01T00:30:00+01:00", "1970 to 2105"),
    ("$.occurred_at", "1969-12-31T23:00:00-05:00", "1970 to 2105"),
    ("$.occurred_at", "2106-01-01T00:00:00Z", "1970 to 2105"),
    ("$.occurred_at", 1795453509, "must be a string"),
    ("$.business_date", "23.11.2026", "must be a date"),
    ("$.business_date", "2026-02-29", "no day of the calendar"),
    ("$.business_date", "1969-12-31", "1970 to 2105"),
    ("$.currency", ABSENT, "is missing"),
    ("$.currency", "nok", "ISO 4217"),
    ("$.currency", "ABC", "ISO 4217"),
    ("$.currency", "NO", "ISO 4217"),
    ("$.customer_id", 7, "must be a string"),
    ("$.customer_id", CARD, "card number"),
    ("$.customer_id", "4111-1111-1111-1111", "card number"),
    ("$.original_transaction_id", 7, "must be a string"),
    ("$.lines", ABSENT, "is missing"),
    ("$.lines", [], "at least one line"),
    ("$.lines", {}, "must be an array"),
    ("$.lines", [LINE] * (MAX_LINES + 1), "more than 2,000"),
    ("$.lines[1]", "a", "must be a JSON object"),
    ("$.lines[1].sku", ABSENT, "is missing"),
    ("$.lines[1].sku", "", "1 to 128"),
    ("$.lines[1].sku", 4006381333931, "must be a string"),
    ("$.lines[1].quantity", ABSENT, "is missing"),
    ("$.lines[1].quantity", None, "is missing"),
    ("$.lines[1].quantity", "-1", "no sign"),
    ("$.lines[1].quantity", "+1", "no sign"),
    ("$.lines[1].quantity", "1e2", "no exponent"),
    ("$.lines[1].quantity", "1.", "digits"),
    ("$.lines[1].quantity", ".5", "digits"),
    ("$.lines[1].quantity", "1,5", "digits"),
    ("$.lines[1].quantity", "", "digits"),
    ("$.lines[1].quantity", " 1", "digits"),
    ("$.lines[1].quantity", "\u0661", "digits"),
    ("$.lines[1].quantity", "NaN", "digits"),
    ("$.lines[1].quantity", "1.000000", "more than 5 decimal places"),
    ("$.lines[1].quantity", "1000000", "below 1,000,000"),
    ("$.lines[1].quantity", "1234567890123", "digits"),
    ("$.lines[1].quantity", -1, "no sign"),
    ("$.lines[1].quantity", 1e22, "no exponent"),
    ("$.lines[1].quantity", [1], "must be a number"),
    ("$.lines[1].quantity", True, "must be a number"),
    ("$.lines[1].amount", ABSENT, "is missing"),
    ("$.lines[1].amount", None, "is missing"),
    ("$.lines[1].amount", "-5.00", "no sign"),
    ("$.lines[1].amount", "0.00000", "more than 4 decimal places"),
    ("$.lines[1].amount", "1000000000", "below 1,000,000,000"),
    ("$.lines[1].discount", "x", "digits"),
    ("$.lines[1].tax", "0.12345", "more than 4 decimal places"),
    ("$.lines[1].kind", "refund", "one of sale, return"),
    ("$.lines[1].void", "true", "true or false"),
    ("$.lines[1].void", 1, "true or false"),
    ("$.lines[1].restocked", "yes", "true or false"),
    ("$.lines[1].unit", 7, "must be a string"),
    ("$.lines[1].line", 1.5, "whole number"),
    ("$.lines[1].line", [], "must be a string"),
    ("$.note", CARD, "card number"),
    ("$.payment", {"pan": ["x", CARD]}, "card number"),
    ("$.lines[0].note", f"paid with {CARD} 12/27", "card number"),
]
PATHS = {"$.payment": "$.payment.pan[1]"}


@pytest.mark.parametrize(("path", "value", "reason"), REFUSED)
def test_what_breaks_a_rule_is_refused_with_its_path_and_reason(path, value, reason):
    with pytest.raises(Refused, match=r".") as refused:
        decode(encoded(changed(path, value)))
    assert refused.value.path == PATHS.get(path, path)
    assert reason in refused.value.reason
    assert "4111" not in str(refused.value) + refused.value.hint
    assert "opaque-token" not in str(refused.value) + refused.value.hint


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (b"", "no JSON"), (b"{", "no JSON"), (b"null", "must be a JSON object"), (b"[]", "must be a JSON object"),
        (b'"x"', "must be a JSON object"), (b"12", "must be a JSON object"), (b"{}{}", "no JSON"),
        (b"\xef\xbb\xbf{}", "no JSON"), (b'{"a": NaN}', "no JSON"), (b'{"a": -Infinity}', "no JSON"),
        (b'{"a": "\xff"}', "not UTF-8 at byte 7"), (DEEP, "nested too deeply"), (b'{"a": "\x01"}', "no JSON"),
        (b"x" * (MAX_BYTES + 1), "more than 1 MiB"), (b"{'a': 1}", "no JSON"), (b'{"a": 01}', "no JSON"),
        (b'{"a": ' + b"9" * 1_000_000 + b"}", "is missing"), (b"\x00", "no JSON"),
    ],
    ids=lambda one: one[:12] if isinstance(one, bytes) else None,
)  # fmt: skip
def test_what_is_no_receipt_at_all_is_one_typed_refusal(value, reason):
    with pytest.raises(Refused, match=r".") as refused:
        decode(value)
    assert reason in refused.value.reason


@pytest.mark.parametrize("unknown", [b'"\xff": 1', b'"\xed\xa0\x80": 1', b'"x": "\xff"', b'"x": {"\xc3": "\xc3"}'])
@pytest.mark.parametrize("place", [b'"currency"', b'"sku"'])
def test_bytes_that_are_no_utf_8_are_refused_in_fields_that_nobody_reads_too(unknown, place):
    # Without long numbers, which could be a card's: those are looked for by a slower way.
    plain = changed("$.transaction_id", "t1") | {"lines": [{"sku": "milk", "quantity": "1", "amount": "2.50"}]}
    assert decode(encoded(plain | {"x": "å"})) == decode(encoded(plain))
    value = encoded(plain).replace(place, b"%s, %s" % (unknown, place), 1)
    with pytest.raises(Refused, match="not UTF-8 at byte"):
        decode(value)


@pytest.mark.parametrize("line", [False, True])
@pytest.mark.parametrize(
    ("depth", "refused"), [(1, False), (60, False), (64, True), (65, True), (400, True), (9_000, True)]
)
def test_nesting_is_judged_alike_however_deep_the_callers_stack_is(line, depth, refused):
    nested = b"[" * depth + b"]" * depth
    place = b'"sku"' if line else b'"currency"'
    value = encoded(RECEIPT).replace(place, b'"x": %s, %s' % (nested, place), 1)

    def outcome(stack):
        if stack:
            return outcome(stack - 1)
        try:
            return decode(value)
        except Refused as fault:
            return fault.reason

    wanted = "is nested too deeply" if refused else decode(encoded(RECEIPT))
    assert outcome(0) == outcome(300) == wanted


@pytest.mark.parametrize("path", ["$.transaction_id", "$.customer_id", "$.lines[0].unit", "$.lines[0].sku"])
def test_half_a_character_is_refused(path):
    with pytest.raises(Refused, match="surrogate") as refused:
        decode(json.dumps(changed(path, "a\ud83d")).encode())
    assert refused.value.path == path


def test_a_receipt_of_exactly_one_mebibyte_and_one_of_2000_lines_are_read():
    short = encoded({**RECEIPT, "note": ""})
    full = encoded({**RECEIPT, "note": "n" * (MAX_BYTES - len(short))})
    assert len(full) == MAX_BYTES
    assert decode(full) == decode(encoded(RECEIPT))
    assert len(decode(encoded(changed("$.lines", [LINE] * MAX_LINES))).lines.sku) == MAX_LINES


def test_the_last_of_two_equal_names_holds_whichever_way_it_is_read():
    value = encoded(RECEIPT).replace(b'"NOK"', b'"SEK", "currency": "NOK"')
    assert decode(value) == strict.decode(value) == decode(encoded(RECEIPT))


@pytest.mark.parametrize("extra", [{}, {"note": "x"}])
def test_remembered_numbers_do_not_grow_for_ever(extra, monkeypatch):
    monkeypatch.setattr("schemas.numbers._REMEMBERED", 100)
    for number in range(1_000):
        assert lines_of(amount=f"{number}.50", **extra).amount[0] == number * 10_000 + 5_000
    assert len(quick._money) < 120
