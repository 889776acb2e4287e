"""The shapes in which the quick ways read a receipt; each is ReceiptMessage, narrower or wider."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta

from schemas.receipt import MAX_LINES, Identifier, LineMessage, ReceiptMessage

_NULL = msgspec.Raw(b"null")


class PlainLine(msgspec.Struct, frozen=True, gc=False, forbid_unknown_fields=True):
    """LineMessage of a till that sends no more than this."""

    sku: Identifier
    quantity: str
    amount: str
    discount: str | None = None
    tax: str | None = None


class PlainReceipt(ReceiptMessage, frozen=True, gc=False, forbid_unknown_fields=True, kw_only=True):
    """ReceiptMessage of such lines."""

    lines: Annotated[list[PlainLine], Meta(min_length=1, max_length=MAX_LINES)]  # type: ignore[assignment]  # frozen


class NumbersLine(LineMessage, frozen=True, gc=False, forbid_unknown_fields=True, kw_only=True):
    """LineMessage with decimals as they stand in the message."""

    quantity: msgspec.Raw  # type: ignore[assignment]  # frozen
    amount: msgspec.Raw  # type: ignore[assignment]
    discount: msgspec.Raw = _NULL  # type: ignore[assignment]
    tax: msgspec.Raw = _NULL  # type: ignore[assignment]


class NumbersReceipt(ReceiptMessage, frozen=True, gc=False, forbid_unknown_fields=True, kw_only=True):
    """ReceiptMessage of such lines."""

    lines: Annotated[list[NumbersLine], Meta(min_length=1, max_length=MAX_LINES)]  # type: ignore[assignment]


class OpenLine(LineMessage, frozen=True, gc=False, forbid_unknown_fields=False):
    """LineMessage that passes over unknown fields."""


class OpenReceipt(ReceiptMessage, frozen=True, gc=False, forbid_unknown_fields=False, kw_only=True):
    """ReceiptMessage that passes over unknown fields: for messages without anything that looks like a card number."""

    lines: Annotated[list[OpenLine], Meta(min_length=1, max_length=MAX_LINES)]  # type: ignore[assignment]  # frozen
