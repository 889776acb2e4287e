"""From the bytes of `pos.receipts` to a Receipt.

Five ways to the same result, the quickest first: a typed decode of receipts whose lines have the usual fields alone and
decimals as strings; the same with every field; the same with unknown fields, where no card number can stand in them;
the same for JSON numbers; and `schemas.strict`, which reads all that is valid and says what is wrong with the rest.
Whatever the quick ways do not accept, the strict one judges; a test holds that all agree.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, NamedTuple

import msgspec

from schemas import strict
from schemas.card_search import card_in
from schemas.cards import may_hold_card
from schemas.currency import CODES
from schemas.fields import DEEPEST
from schemas.numbers import MONEY, QUANTITY, Known
from schemas.receipt import MAX_BYTES, LineMessage, Lines, Receipt, ReceiptMessage
from schemas.shapes import NumbersLine, NumbersReceipt, OpenReceipt, PlainLine, PlainReceipt
from schemas.times import Days, instant

_plain = msgspec.json.Decoder(PlainReceipt)
_texts = msgspec.json.Decoder(ReceiptMessage)
_open_texts = msgspec.json.Decoder(OpenReceipt)
_tokens = msgspec.json.Decoder(NumbersReceipt)
_quantities, _money = Known(QUANTITY), Known(MONEY)
_days = Days()
_UNKNOWN = "unknown field"  # msgspec's words; without them the slower ways are taken, to the same result
# The control characters of Latin-1 in UTF-8; those below 0x20 cannot stand in JSON unescaped.
_CONTROL = re.compile(rb"\xc2[\x80-\x9f]")
_UNUSUAL = [f'"{name}"'.encode() for name in LineMessage.__struct_fields__ if name not in PlainLine.__struct_fields__]
# Whether the last receipt had the usual fields alone. Tills send alike, so that is tried first; only the time depends
# on it.
_usual = True


def decode(value: bytes) -> Receipt:
    """Read one receipt; raises schemas.errors.Refused on anything that is none."""
    if len(value) > MAX_BYTES:
        raise strict.too_large(value)
    if b"\\" not in value and b"\x7f" not in value and (value.isascii() or _CONTROL.search(value) is None):
        if _usual:
            try:
                return _of_plain(value, _plain.decode(value))
            except ValueError:  # each fault of reading is one
                pass
        try:
            return _quick(value)
        except (ValueError, RecursionError):
            pass
    return strict.decode(value)


def _quick(value: bytes) -> Receipt:
    """Read one by the quick ways that take more fields; raises ValueError or RecursionError where none does."""
    global _usual  # noqa: PLW0603  # see there
    try:
        receipt = _of_texts(value, _texts.decode(value))
    except ValueError as fault:
        unknown = _UNKNOWN in str(fault)
        _usual = False
    else:
        _usual = not any(name in value for name in _UNUSUAL)
        return receipt
    if not unknown:
        return _of_tokens(value, _tokens.decode(value))
    if may_hold_card(value):
        raise strict.NOT_QUICK
    value.decode()  # msgspec does not look at the bytes of what it passes over
    message = _open_texts.decode(value)
    # So few brackets more than a receipt needs can be nested no deeper than is allowed.
    if value.count(b"[") + value.count(b"{") - len(message.lines) >= DEEPEST:
        raise strict.NOT_QUICK
    return _of_texts(value, message)


def _of_plain(value: bytes, message: PlainReceipt) -> Receipt:
    """As `_of_texts`, where no line can have a flag or a unit; written out, since most receipts come this way."""
    found = message.lines
    quantities, money = _quantities, _money
    lines = Lines(
        [line.sku for line in found],
        [quantities[line.quantity] for line in found],
        [money[line.amount] for line in found],
        # A field that no line has costs nothing: without escapes its name would stand in the message as it is.
        [money[line.discount] for line in found] if b'"discount"' in value else [0] * len(found),
        [money[line.tax] for line in found] if b'"tax"' in value else [0] * len(found),
        [True] * len(found) if message.type == "return" else None,
    )
    return _receipt(message, lines)


def _of_texts(value: bytes, message: ReceiptMessage) -> Receipt:
    return _receipt(message, _flagged(value, message, *_columns(value, message.lines)))


def _of_tokens(value: bytes, message: NumbersReceipt) -> Receipt:
    lines = [
        _TokensLine(
            line.sku,
            bytes(line.quantity),
            bytes(line.amount),
            _unless_null(line.discount),
            _unless_null(line.tax),
        )
        for line in message.lines
    ]
    return _receipt(message, _flagged(value, message, *_columns(value, lines)))


def _unless_null(token: msgspec.Raw) -> bytes | None:
    text = bytes(token)
    return None if text == b"null" else text


class _TokensLine(NamedTuple):
    """The part of a line that is numbers, as tokens."""

    sku: str
    quantity: bytes
    amount: bytes
    discount: bytes | None
    tax: bytes | None


def _columns(value: bytes, found: Sequence[LineMessage] | Sequence[_TokensLine]) -> tuple[list[Any], ...]:
    """SKUs, quantities, amounts, discounts, taxes; raises NumberFault."""
    quantities, money = _quantities, _money
    return (
        [line.sku for line in found],
        [quantities[line.quantity] for line in found],
        [money[line.amount] for line in found],
        [money[line.discount] for line in found] if b'"discount"' in value else [0] * len(found),
        [money[line.tax] for line in found] if b'"tax"' in value else [0] * len(found),
    )


def _flagged(
    value: bytes,
    message: ReceiptMessage | NumbersReceipt,
    sku: list[str],
    quantity: list[int],
    amount: list[int],
    discount: list[int],
    tax: list[int],
) -> Lines:
    """The columns, and those that few messages have."""
    found: list[LineMessage] | list[NumbersLine] = message.lines
    returned = void = unit = restocked = None
    # Without escapes the name of a field that a line has stands in the message as it is.
    if message.type == "return":
        returned = [True] * len(found)
    elif b'"kind"' in value:
        returned = strict.flags([line.kind == "return" for line in found])
    if b'"void"' in value:
        void = strict.flags([line.void is True for line in found])
    if b'"unit"' in value:
        unit = strict.known([line.unit for line in found])
    if b'"restocked"' in value:
        restocked = strict.flags([line.restocked is True for line in found])
    return Lines(sku, quantity, amount, discount, tax, returned, void, unit, restocked)


def _receipt(message: ReceiptMessage, lines: Lines) -> Receipt:
    """Check what stands outside the lines; raises ValueError."""
    customer = message.customer_id
    if message.currency not in CODES or (customer is not None and card_in(customer)):
        raise strict.NOT_QUICK
    occurred_at = message.occurred_at
    date = message.business_date
    return Receipt(
        message.transaction_id,
        message.store_id,
        instant(occurred_at),
        message.currency,
        occurred_at[:10] if date is None else _days[date],
        message.type or "sale",
        lines,
        message.till_id,
        message.sequence,
        customer,
        message.original_transaction_id,
    )
