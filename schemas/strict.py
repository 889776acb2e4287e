"""The explaining way to a Receipt: reads everything that the contract allows, and says what is wrong with the rest.

Slower than schemas.decode's quick ways, and as exact: decimals are read from the text of the message. The first fault
found is the one that is told; a payment card number comes before all others, since nothing of its message may be kept.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from schemas.card_search import card_path
from schemas.currency import CODES
from schemas.errors import Refused
from schemas.fields import (
    Token,
    checked,
    choice,
    flag,
    identifier,
    number,
    optional,
    parse,
    required,
    text_of,
    whole,
)
from schemas.numbers import MONEY, QUANTITY
from schemas.receipt import MAX_BYTES, MAX_LINES, Lines, Receipt
from schemas.times import Days, instant

# Raised where a quick way gives up; whoever catches it asks the strict one.
NOT_QUICK = ValueError("not for the quick way")

_TYPES = ("sale", "return", "exchange", "void", "post_void", "training")
_KINDS = ("sale", "return")
_days = Days()
_CARD = "a payment card number must not be sent"
_CARD_HINT = "leave it out, or send a token of the payment provider's in customer_id; nothing of this message was kept"


def decode(value: bytes) -> Receipt:
    """Read one receipt; raises Refused on anything that is none."""
    if len(value) > MAX_BYTES:
        raise too_large(value)
    found = parse(value)
    path = card_path(found)
    if path is not None:
        raise Refused(path, _CARD, _CARD_HINT)
    if not isinstance(found, dict):
        raise Refused("$", "must be a JSON object", "send one receipt a message; an array is for the HTTP door")
    return _receipt(found)


def too_large(value: bytes) -> Refused:
    """The refusal of a message above the limit."""
    return Refused("$", f"has {len(value):,} bytes, more than 1 MiB", "split it: no receipt has so many lines")


def flags(column: list[bool]) -> list[bool] | None:
    """The column where one of its flags is set, else None."""
    return column if True in column else None


def known(column: list[str | None]) -> list[str | None] | None:
    """The column where one of its texts is known, else None."""
    return column if any(text is not None for text in column) else None


def _receipt(found: Mapping[str, Any]) -> Receipt:
    kind = choice("$.type", found.get("type"), _TYPES)
    text = text_of("$.occurred_at", required("$.occurred_at", found))
    occurred_at = checked(
        "$.occurred_at", instant, text, "send it as 2026-11-23T17:05:09+01:00, with the offset of the store"
    )
    currency = text_of("$.currency", required("$.currency", found))
    if currency not in CODES:
        raise Refused("$.currency", "is no currency of ISO 4217", "send three capital letters such as NOK")
    date = found.get("business_date")
    return Receipt(
        identifier("$.transaction_id", required("$.transaction_id", found)),
        identifier("$.store_id", required("$.store_id", found)),
        occurred_at,
        currency,
        text[:10]
        if date is None
        else checked("$.business_date", _days.__getitem__, text_of("$.business_date", date), "send it as 2026-11-23"),
        kind,  # type: ignore[arg-type]  # one of the literals
        _lines(required("$.lines", found), kind),
        optional("$.till_id", found.get("till_id"), identifier),
        optional("$.sequence", found.get("sequence"), whole),
        optional("$.customer_id", found.get("customer_id"), text_of),
        optional("$.original_transaction_id", found.get("original_transaction_id"), text_of),
    )


def _lines(found: Any, kind: str) -> Lines:
    if not isinstance(found, list):
        raise Refused("$.lines", "must be an array of lines")
    if not found:
        raise Refused("$.lines", "must hold at least one line", "a receipt without goods is not for this topic")
    if len(found) > MAX_LINES:
        raise Refused("$.lines", f"has {len(found):,} lines, more than {MAX_LINES:,}", "split the receipt")
    columns: list[list[Any]] = [[] for _ in range(9)]
    for index, line in enumerate(found):
        path = f"$.lines[{index}]"
        if not isinstance(line, dict):
            raise Refused(path, "must be a JSON object")
        for column, value in zip(columns, _line(path, line, kind), strict=True):
            column.append(value)
    sku, quantity, amount, discount, tax, returned, void, unit, restocked = columns
    return Lines(
        sku, quantity, amount, discount, tax, flags(returned), flags(void), known(unit), flags(restocked)
    )  # fmt: skip


def _line(path: str, line: Mapping[str, Any], kind: str) -> tuple[Any, ...]:
    name = line.get("line")
    if isinstance(name, Token):
        whole(f"{path}.line", name)
    elif name is not None:
        text_of(f"{path}.line", name)
    back = choice(f"{path}.kind", line.get("kind"), _KINDS) == "return"
    return (
        identifier(f"{path}.sku", required(f"{path}.sku", line)),
        number(f"{path}.quantity", required(f"{path}.quantity", line), QUANTITY),
        number(f"{path}.amount", required(f"{path}.amount", line), MONEY),
        number(f"{path}.discount", line.get("discount"), MONEY),
        number(f"{path}.tax", line.get("tax"), MONEY),
        back or kind == "return",
        flag(f"{path}.void", line.get("void")),
        optional(f"{path}.unit", line.get("unit"), text_of),
        flag(f"{path}.restocked", line.get("restocked")),
    )
