"""The quick ways of reading a receipt and the explaining one are held against each other, and against noise."""

from __future__ import annotations

import contextlib
import json

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from schemas import decode as ways
from schemas import strict
from schemas import times as instants
from schemas.card_search import holds_secret
from schemas.decode import decode
from schemas.errors import Refused
from tests.unit.schemas.receipts import RECEIPT, encoded

ids = st.one_of(
    st.text(max_size=6), st.sampled_from(["12", "unit", "void", "x" * 128, "4111111111111111", "\x7f", "é"])
)
decimals = st.one_of(
    st.from_regex(r"[0-9]{1,7}(\.[0-9]{1,6})?", fullmatch=True),
    st.sampled_from(["1", "2.50", "-1", "1e3", "", "0.754", "999999.99999"]),
    st.integers(-2, 10**6),
    st.sampled_from([0.5, 2.25, 1e22, 19.99]),
    st.none(),
)
choices = st.sampled_from(["sale", "return", "exchange", "void", "post_void", "training", "refund", None, 3])
lines = st.fixed_dictionaries(
    {"sku": ids, "quantity": decimals, "amount": decimals},
    optional={
        "discount": decimals, "tax": decimals, "kind": choices, "void": st.sampled_from([True, False, None, "true"]),
        "unit": st.one_of(st.none(), st.text(max_size=3)),
        "line": st.one_of(st.integers(), st.text(max_size=2), st.none()),
        "restocked": st.booleans(), "note": st.one_of(st.text(max_size=3), st.just("4111111111111111")),
    },
)  # fmt: skip
times = st.one_of(
    st.datetimes().map(lambda moment: moment.isoformat() + "Z"),
    st.sampled_from(
        ["2026-11-23T17:05:60.5+01:00", "2026-11-23t17:05:09z", "2026-11-23T17:05:09", "1970-01-01T00:00:00Z"]
    ),
)
receipts = st.fixed_dictionaries(
    {
        "transaction_id": ids, "store_id": ids, "occurred_at": times, "lines": st.lists(lines, max_size=3),
        "currency": st.sampled_from(["NOK", "JPY", "nok", "XYZ"]),
    },
    optional={
        "till_id": ids, "sequence": st.one_of(st.integers(), st.none()), "type": choices,
        "business_date": st.sampled_from(["2026-11-23", "2026-02-30", "", None]),
        "customer_id": st.one_of(ids, st.none()), "extra": st.dictionaries(st.text(max_size=3), ids, max_size=2),
        "lines_": st.just([{"sku": 1}]), "4111111111111111": st.none(),
    },
)  # fmt: skip


def outcome(read, value):
    """What a way gives: a receipt, or that it refuses."""
    try:
        return read(value)
    except (Refused, instants.TimeFault) as fault:
        return type(fault)


@given(receipts, st.booleans(), st.sampled_from([None, (",", ":")]), st.booleans())
@settings(max_examples=1500, deadline=None)
@example(RECEIPT, True, None, False)
@example(RECEIPT, True, None, True)
def test_every_way_reads_the_same_receipt_or_refuses_it(receipt, escaped, separators, usual):
    value = json.dumps(receipt, ensure_ascii=escaped, separators=separators).encode()
    ways._usual = usual  # as if a receipt of usual fields alone, or another one, had come before
    assert outcome(decode, value) == outcome(strict.decode, value)


USUAL = {
    "transaction_id": "t", "store_id": "12", "occurred_at": "2026-11-23T23:30:00-01:00", "currency": "NOK",
    "lines": [{"sku": "1", "quantity": "1", "amount": "2.50"}, {"sku": "2", "quantity": "0.754", "amount": "1.00"}],
}  # fmt: skip
MORE_IN_LINES = [{}, {"discount": "0.50"}, {"tax": "0.25"}, {"discount": "0.50", "tax": "0.25"}]


@pytest.mark.parametrize("kind", [None, "sale", "return", "exchange", "void", "post_void", "training"])
@pytest.mark.parametrize("more", MORE_IN_LINES, ids=lambda more: "+".join(more) or "no more")
def test_the_quickest_way_reads_every_type_of_receipt_as_the_explaining_one_does(kind, more, monkeypatch):
    plain = read_by_the_quickest(monkeypatch)
    first, second = USUAL["lines"]
    value = encoded(USUAL | {"lines": [first | more, second]} | ({"type": kind} if kind else {}))
    assert decode(value) == strict.decode(value)
    assert plain == [value]


@pytest.mark.parametrize(
    "fault",
    [
        {"currency": "XYZ"}, {"customer_id": "4111111111111111"}, {"business_date": "2026-02-30"},
        {"occurred_at": "2026-11-23T23:30:00"}, {"lines": [{"sku": "1", "quantity": "1", "amount": "-2.50"}]},
    ],
    ids=lambda fault: next(iter(fault)),
)  # fmt: skip
def test_what_the_quickest_way_does_not_take_is_refused_as_it_always_is(fault, monkeypatch):
    plain = read_by_the_quickest(monkeypatch)
    value = encoded(USUAL | fault)
    assert outcome(decode, value) == Refused
    assert plain == [value]


def read_by_the_quickest(monkeypatch):
    """The messages that come to the quickest way, which reads them; receipts of usual fields have come before."""
    came, own = [], ways._of_plain
    monkeypatch.setattr(ways, "_of_plain", lambda value, message: came.append(value) or own(value, message))
    monkeypatch.setattr(ways, "_usual", True)
    return came


def test_receipts_of_usual_fields_take_the_quickest_way_again_after_another_one(monkeypatch):
    plain = read_by_the_quickest(monkeypatch)
    line = {"sku": "1", "quantity": "1", "amount": "1.00"}
    usual, other = (encoded(RECEIPT | {"lines": [one]}) for one in (line, line | {"void": True}))
    for value in (usual, other, other, usual, usual):
        decode(value)
    assert plain == [usual, usual], "the one right after the others is what shows that they are over"


@given(
    st.sampled_from(
        ["1969-12-31T23:59:", "1970-01-01T00:30:", "2026-11-23T17:05:", "2105-12-31T23:59:", "2026-02-30T00:00:"]
    ),
    st.sampled_from(["00", "07", "59", "60", "61", "7", " 7", "+7", "\u0660\u0667", ""]),
    st.sampled_from(["Z", "z", "+01:00", "-23:59", "+24:00", "", "Z ", ".5Z", ".123456789+01:00"]),
)
@settings(max_examples=1500, deadline=None)
def test_a_time_is_read_alike_whether_its_minute_is_remembered_or_not(minute, second, rest):
    for remembered in ("00", "59"):
        outcome(instants.instant, minute + remembered + rest)
    assert outcome(instants.instant, minute + second + rest) == outcome(instants._instant, minute + second + rest)


@given(st.binary(max_size=60), st.integers(0, len(encoded(RECEIPT))), st.integers(0, 40))
@settings(max_examples=2000, deadline=None)
def test_noise_in_a_receipt_is_read_alike_or_refused_alike(noise, place, gone):
    value = encoded(RECEIPT)
    value = value[:place] + noise + value[place + gone :]
    assert outcome(decode, value) == outcome(strict.decode, value)


@given(st.binary(max_size=200))
@settings(max_examples=1000, deadline=None)
def test_bytes_of_any_kind_raise_nothing_but_a_refusal(value):
    with contextlib.suppress(Refused):
        decode(value)
    holds_secret(value)


@given(
    st.recursive(
        st.none() | st.booleans() | st.floats() | st.text(max_size=9),
        lambda inner: (
            st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from([*RECEIPT, "x"]), inner, max_size=4)
        ),
        max_leaves=20,
    )
)
@settings(max_examples=1000, deadline=None)
def test_json_of_any_shape_raises_nothing_but_a_refusal(shape):
    value = json.dumps(shape).encode()
    assert outcome(decode, value) == outcome(strict.decode, value)
