"""Card numbers of refused receipts stay out of the journal, however they are written; all else stays as it is."""

from __future__ import annotations

import json

import pytest
from aiokafka.record.default_records import DefaultRecordBatch

from schemas import stub
from schemas.admission import admit
from schemas.errors import Refused
from tests.unit.schemas.receipts import RECEIPT, changed, encoded
from tillstream.local.journal.cards import may_hold_card, stub_of, without_cards

from .disks import batch

CARD = "4111 1111 1111 1111"
SKEW = 10**18
ESCAPED = "".join(f"\\u00{ord(digit):x}" for digit in CARD)

refused = [
    encoded(changed("$.customer_id", CARD)),
    encoded(changed("$.customer_id", CARD)).replace(CARD.encode(), ESCAPED.encode()),
    encoded({**RECEIPT, "note": f"paid by {CARD.replace(' ', '-')}"}),
    encoded({**changed("$.currency", "NO"), "note": CARD}),
    b'{"note": "' + CARD.encode(),
    CARD.encode(),
]


@pytest.mark.parametrize("compression", [0, 4])
@pytest.mark.parametrize("value", refused)
def test_a_refused_receipt_with_a_card_number_leaves_a_stub_with_the_same_refusal(value, compression):
    sent = batch("pos.receipts", 0, 5, [encoded(RECEIPT), value], compression=compression)
    first, second = DefaultRecordBatch(without_cards(sent).data)
    assert first.value == encoded(RECEIPT)
    assert stub.read(second.value) is not None
    faults = []
    for one in (value, second.value):
        with pytest.raises(Refused) as fault:
            admit(b"12", one, second.timestamp, SKEW)
        faults.append((fault.value.path, fault.value.reason, fault.value.hint))
    assert faults[0] == faults[1]


def test_a_key_that_holds_a_card_number_goes_alone_unless_it_is_the_store():
    key = CARD.encode()
    assert stub_of(key, encoded(RECEIPT)) == (None, encoded(RECEIPT))
    assert stub_of(key, encoded(changed("$.store_id", CARD))) is None
    assert stub_of(key, None) == (None, None)
    bad = stub_of(key, encoded(changed("$.customer_id", CARD)))
    assert bad[0] is None
    assert stub.read(bad[1]) is not None


def test_what_would_count_with_another_bound_on_skew_stays_whole():
    value = encoded({**RECEIPT, "note": 4111111111111111})
    with pytest.raises(Refused, match="MAX_SKEW"):
        admit(b"12", value, 0, 0)
    assert stub_of(b"12", value) is None


@pytest.mark.parametrize(
    "value",
    [
        encoded(RECEIPT),
        encoded(changed("$.transaction_id", CARD)),
        encoded(changed("$.currency", "NO")),
        b"{",
        None,
        b"1234567890123456",
    ],
)
def test_what_counts_and_what_holds_no_card_number_stays_as_it_is(value):
    sent = batch("pos.receipts", 0, 5, [value])
    assert without_cards(sent) is sent


@pytest.mark.parametrize(
    ("text", "may"),
    [("4" * 14, True), ("4111-1111 1111-11", True), ("4" * 13, False), (json.dumps("ø4"), True), ("4a" * 20, False)],
)
def test_the_quick_look_sees_all_digits_that_could_be_a_number(text, may):
    assert may_hold_card(text.encode()) is may
