"""The kernel reads receipts of the usual form as Python does, and leaves all others to it."""

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kernel import buffers, library
from kernel.reading import ASK, COUNTED, FIRST, IDENTITY, KIND, NOTHING, Reading
from schemas.currency import CODES
from tests.unit.kernel.agreement import differences, expected, facts, lines_of, read, records_of
from tests.unit.schemas.receipts import RECEIPT, encoded
from tests.unit.schemas.test_ways_agree import receipts

NOW_MS, HOUR = 1_800_000_000_000, 3_600_000_000
KEY = RECEIPT["store_id"].encode()
PLAIN = {
    "transaction_id": "t-1", "store_id": "12", "occurred_at": "2026-11-23T23:30:00-01:00", "currency": "NOK",
    "lines": [{"sku": "1", "quantity": "1", "amount": "2.50"}, {"sku": "2", "quantity": "0.754", "amount": "1.00"}],
}  # fmt: skip


def seen(receipt, key=b"12", now=NOW_MS):
    """What the kernel makes of one receipt, or of its text."""
    value = receipt if isinstance(receipt, bytes) else encoded(receipt)
    assert differences([(key, value)], now, HOUR)[0] == []
    return read([(key, value)], now, HOUR)[0]


def line(**fields):
    return PLAIN | {"lines": [PLAIN["lines"][0] | fields]}


@given(st.lists(receipts, max_size=4), st.booleans(), st.sampled_from([None, (",", ":"), (" ,\n", "\t: ")]))
@settings(max_examples=1500, deadline=None)
def test_what_it_reads_is_what_python_reads(found, escaped, separators):
    messages = [
        (
            one["store_id"].encode("utf-8", "replace"),
            json.dumps(one, ensure_ascii=escaped, separators=separators).encode(),
        )
        for one in found
    ]
    assert differences(messages, NOW_MS, HOUR)[0] == []


@pytest.mark.parametrize(
    "receipt",
    [
        PLAIN, line(discount="0.50", tax=None), line(amount=2.5, quantity=1), line(amount="000000000012.5000"),
        line(kind="return"), line(kind="sale", void=False), line(line=3, unit="kg"), line(line="a", restocked=True),
        PLAIN | {"till_id": "T4", "sequence": 871, "customer_id": "c-99", "original_transaction_id": ""},
        PLAIN | {"till_id": None, "sequence": None, "customer_id": None, "business_date": None, "type": None},
        PLAIN | {"business_date": "2024-02-29"}, PLAIN | {"transaction_id": "kvittering-æøå-\u20ac-\U0001f6d2"},
        *(PLAIN | {"type": kind} for kind in ("sale", "return", "exchange", "void", "post_void", "training")),
        *(PLAIN | {"transaction_id": "x" * many} for many in (1, 126, 127, 128)),
        *(
            PLAIN | {"occurred_at": f"{text}"}
            for text in ("1970-01-01T00:00:00Z", "2105-12-31T23:59:59.999999999Z", "2026-11-23T17:05:09.5+14:00")
        ),
    ],
    ids=lambda receipt: json.dumps({key: value for key, value in receipt.items() if PLAIN.get(key) != value})[:70],
)  # fmt: skip
def test_receipts_of_the_usual_form_are_read_by_it(receipt):
    assert seen(receipt, now=5_000_000_000_000) is not None


@pytest.mark.parametrize(
    "receipt",
    [
        PLAIN | {"note": "x"}, PLAIN | {"currency": "XYZ"}, PLAIN | {"currency": "nok"}, PLAIN | {"lines": []},
        PLAIN | {"occurred_at": "2026-11-23T23:59:60Z"}, PLAIN | {"occurred_at": "2026-02-29T10:00:00Z"},
        PLAIN | {"occurred_at": "2026-11-23T10:00:00"}, PLAIN | {"occurred_at": "2026-11-23T10:00:00.Z"},
        PLAIN | {"occurred_at": "1970-01-01T00:00:00+00:01"}, PLAIN | {"occurred_at": "2106-01-01T00:00:00Z"},
        PLAIN | {"transaction_id": "x" * 129}, PLAIN | {"transaction_id": ""}, PLAIN | {"transaction_id": "a\\b"},
        PLAIN | {"customer_id": "4111 1111 1111 1111"}, PLAIN | {"business_date": "2100-02-29"},
        PLAIN | {"type": "refund"}, PLAIN | {"sequence": 1.5}, PLAIN | {"sequence": 10**18},
        line(amount="-1"), line(amount="1e3"), line(amount="1."), line(amount=".5"), line(amount=" 1"), line(amount=""),
        line(amount="1.00001"), line(amount="1000000000"), line(quantity="1000000"), line(quantity="1.000001"),
        line(quantity="0" * 13 + "1"), line(void="true"), line(kind="gift"), line(sku=""), line(sku=7), line(note=1),
        line(amount=None), b"{}", b"", b"[]", encoded(PLAIN) + b"{}", encoded(PLAIN)[:-1], encoded(PLAIN)[:-3],
        encoded(PLAIN).replace(b'"1"', b"01"), encoded(PLAIN).replace(b'"2.50"', b"2."),
        encoded(PLAIN).replace(b'"t-1"', b'"t\xff"'), encoded(PLAIN).replace(b'"t-1"', b'"t\xc2\x85"'),
        encoded(PLAIN).replace(b'"t-1"', b'"t\xed\xa0\x80"'), encoded(PLAIN).replace(b'"t-1"', b'"t\x7f"'),
        encoded(PLAIN).replace(b'"lines"', b'"currency":"NOK","lines"'), b'"' + b"x" * 2**20 + b'"',
        PLAIN | {"lines": PLAIN["lines"] * 1001},
    ],
    ids=lambda receipt: repr(receipt)[-70:],
)  # fmt: skip
def test_whatever_is_unusual_is_left_to_python(receipt):
    assert seen(receipt) is None


@pytest.mark.parametrize("cut", range(0, len(encoded(RECEIPT)), 3))
def test_a_message_that_was_cut_off_is_never_read(cut):
    assert seen(encoded(RECEIPT)[:cut], KEY) is None


def test_a_receipt_under_another_stores_key_is_left_to_python():
    assert [seen(PLAIN, key) for key in (b"13", b"1", b"123", b"", None)] == [None] * 5


@pytest.mark.parametrize(("now", "is_read"), [(-(2**63), False), (-1, False), (2**63 - 1, True)])
def test_a_timestamp_may_be_any_64_bits(now, is_read):
    assert (seen(PLAIN, now=now) is not None) is is_read


def test_a_receipt_ahead_of_its_timestamp_by_more_than_the_skew_is_left_to_python():
    at = expected(b"12", encoded(PLAIN), NOW_MS, HOUR)[2]
    assert seen(PLAIN, now=(at - HOUR) // 1000) is not None
    assert seen(PLAIN, now=(at - HOUR) // 1000 - 1) is None


def test_void_lines_are_left_out_and_counted():
    void, other = line(void=True)["lines"] + line(sku="2")["lines"]
    kind, _, _, alls, _, lines = seen(PLAIN | {"lines": [void, other, void]})
    assert (alls, [sku for sku, *_ in lines]) == (3, ["2"])
    assert not kind & NOTHING
    assert seen(PLAIN | {"lines": [void, void]})[0] & NOTHING


def test_lines_that_were_read_in_another_way_stand_beside_the_kernels_own():
    reading = Reading(records_of([(b"12", encoded(PLAIN)), (b"12", b"?")], NOW_MS), HOUR, CODES)
    assert reading.left_over() == [1]
    many = [(f"sku-{number}-æ", number, 0, 2, 3, 4, 5) for number in range(5_000)]  # more than the buffer was made for
    for identity in (5, 2**64 - 5):
        reading.put(1, COUNTED, identity, 7, many, 9, 11)
        assert reading.left_over() == []
        assert [list(one)[0:3] + list(one)[4:] for one in facts(reading)][1] == [
            1,
            reading.column(IDENTITY)[1],
            7,
            5_000,
            9,
            11,
        ]
        assert reading.column(IDENTITY)[1] % 2**64 == identity
        assert lines_of(reading, reading.column(FIRST)[1], len(many)) == many
    assert [sku for sku, *_ in lines_of(reading, reading.column(FIRST)[0], 2)] == ["1", "2"]
    assert reading.column(KIND)[0] != ASK


def test_buffers_are_used_again_but_for_those_above_the_limit(monkeypatch):
    monkeypatch.setattr(buffers, "LARGEST", 1_000)
    made = buffers.Buffers()
    with made.lent("a", 100) as first, made.lent("a", 90) as second:
        assert first is not second
    with made.lent("a", 100) as again:
        assert again in (first, second)
    with made.lent("a", 2_000) as large:
        assert len(large) >= 2_000
    with made.lent("a", 2_000) as other:
        assert other is not large


def test_a_kernel_that_was_not_compiled_says_what_to_do(monkeypatch):
    monkeypatch.setattr(library, "PATH", Path("not-there.lib"))
    with pytest.raises(OSError, match=r"python kernel/build\.py"):
        library.kernel.__wrapped__()
