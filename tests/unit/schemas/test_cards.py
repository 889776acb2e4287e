"""Payment card numbers: which are found, and which digits are left alone. The numbers are the schemes' test numbers."""

from __future__ import annotations

import pytest

from schemas.card_search import holds_secret
from schemas.cards import holds_card, holds_card_bytes
from schemas.decode import decode
from tests.unit.schemas.receipts import RECEIPT, changed, encoded

CARDS = [
    "4111111111111111", "4012888888881881", "5555555555554444", "5105105105105100", "2223003122003222",
    "2720992593939997", "378282246310005", "341111111111111", "36227206271667", "38520000023237", "30569309025904",
    "6011111111111117", "6011000990139424", "6445644564456445", "6500000000000002", "3530111333300000",
    "3566002020360505", "6304000000000000", "5018000000000009", "6759649826438453", "4000000000000000006",
]  # fmt: skip


@pytest.mark.parametrize("number", CARDS)
def test_numbers_of_every_scheme_are_found(number):
    assert holds_card(number)
    assert holds_card_bytes(number.encode())


@pytest.mark.parametrize(
    "text",
    [
        "4111 1111 1111 1111", "4111-1111-1111-1111", "card:4111111111111111.", "x4111 1111-1111 1111x",
        "4111 1111 1111 1111 12/27", "12 4111 1111 1111 1111", "3782 822463 10005",
    ],
)  # fmt: skip
def test_blanks_hyphens_and_neighbours_are_looked_through(text):
    assert holds_card(text)


@pytest.mark.parametrize(
    "text",
    [
        "4111111111111112",  # Luhn fails
        "411111111111115",  # 15 digits, Luhn fails
        "4222222222222",  # 13 digits
        "41111111111111110000",  # 20 digits in one run: an id in which a part passes by chance
        "4111  1111  1111  1111",  # more than single blanks
        "4111_1111_1111_1111",
        "1111111111111117",  # no issuer begins so
        "820982911946154508",  # an order id that passes Luhn
        "7038010055720",
        "",
    ],
)
def test_other_digits_are_left_alone(text):
    assert not holds_card(text)


@pytest.mark.parametrize(
    "path",
    ["$.transaction_id", "$.store_id", "$.till_id", "$.original_transaction_id", "$.lines[0].sku", "$.lines[0].unit"],
)
def test_fields_that_the_contract_names_are_exempt(path):
    value = encoded(changed(path, CARDS[0]))
    assert decode(value)
    assert not holds_secret(value)


@pytest.mark.parametrize(
    "value",
    [
        encoded(changed("$.customer_id", CARDS[0])),
        encoded(changed("$.customer_id", int(CARDS[0]))),
        encoded({**RECEIPT, "pan": int(CARDS[0])}),
        encoded({**RECEIPT, "payments": [{"pan": CARDS[0]}]}),
        encoded({**RECEIPT, CARDS[0]: 1}),
        encoded(changed("$.lines", {"pan": CARDS[0]})),
        encoded(changed("$.lines[0].sku", {"pan": CARDS[0]})),
        encoded(RECEIPT)[:-1] + b', "pan": "4111111111111111"',
        b"<receipt pan='4111-1111-1111-1111'>",
        b"\xff\xfe 4111111111111111",
        CARDS[0].encode(),
    ],
)
def test_a_refused_message_with_a_card_number_is_a_secret(value):
    assert holds_secret(value)


@pytest.mark.parametrize("value", [encoded(RECEIPT), encoded(RECEIPT)[:-9], b"", b"12", b"\xff", b"{}"])
def test_a_refused_message_without_one_is_none(value):
    assert not holds_secret(value)
