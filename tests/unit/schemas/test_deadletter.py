"""What of a refused message is kept."""

from __future__ import annotations

import pytest

from schemas.deadletter import KEPT_BYTES, kept
from schemas.receipt import MAX_BYTES
from tests.unit.schemas.receipts import RECEIPT, changed, encoded

CARD = "4111 1111 1111 1111"


@pytest.mark.parametrize(
    "value", [encoded(changed("$.currency", "NO")), b"{", b"", b"\xff", b"n" * MAX_BYTES, encoded(RECEIPT)]
)
def test_a_message_of_up_to_one_mebibyte_is_kept_whole(value):
    assert kept(value) == value


def test_of_a_larger_one_the_first_64_kib_are_kept():
    assert kept(b"n" * (MAX_BYTES + 1)) == b"n" * KEPT_BYTES


@pytest.mark.parametrize(
    "value",
    [
        None,
        encoded(changed("$.customer_id", CARD)),
        encoded({**changed("$.currency", "NO"), "note": CARD}),
        encoded({**RECEIPT, "note": CARD})[:-1],
        b"n" * (KEPT_BYTES - 8) + CARD.encode() + b"n" * MAX_BYTES,
        b"n" * MAX_BYTES + CARD.encode(),
        CARD.encode(),
    ],
)
def test_nothing_is_kept_of_one_that_holds_a_card_number_whatever_it_was_refused_for(value):
    assert kept(value) is None
