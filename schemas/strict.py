"""The explaining way to a Receipt: reads everything that the contract allows, and says what is wrong with the rest.

Slower than schemas.decode's quick ways, and as exact: decimals are read from the text of the message. The first fault
found is the one that is told; a payment card number comes before all others, since nothing of its message may be kept.
No reason repeats a value.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NoReturn, TypeVar

from schemas.cards import holds_card, holds_card_bytes
from schemas.currency import CODES
from schemas.errors import Refused
from schemas.numbers import MONEY, QUANTITY, NumberFault, Scale
from schemas.receipt import (
    IDENTIFIER_LENGTH,
    LARGEST_INTEGER,
    MAX_BYTES,
    MAX_LINES,
    LineMessage,
    Lines,
    Receipt,
    ReceiptMessage,
)
from schemas.times import Days, TimeFault, instant

T = TypeVar("T")

SHORTEST_CARD = 14
# Raised where a quick way gives up; whoever catches it asks the strict one.
NOT_QUICK = ValueError("not for the quick way")

_TYPES = ("sale", "return", "exchange", "void", "post_void", "training")
_KINDS = ("sale", "return")
# Fields that the contract names may hold what looks like a card: one in ten ids passes Luhn. Not so customer_id.
_EXEMPT = frozenset(ReceiptMessage.__struct_fields__) - {"customer_id"}
_EXEMPT_IN_LINE = frozenset(LineMessage.__struct_fields__)
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f]")
_SURROGATE = re.compile("[\ud800-\udfff]")
_WHOLE = re.compile(r"-?[0-9]+")
_LONGEST_WHOLE = 20
_days = Days()
_CARD = "a payment card number must not be sent"
_CARD_HINT = "leave it out, or send a token of the payment provider's in customer_id; nothing of this message was kept"


class _Token(str):
    """A JSON number, as it stands in the message."""

    __slots__ = ()


def decode(value: bytes) -> Receipt:
    """Read one receipt; raises Refused on anything that is none."""
    if len(value) > MAX_BYTES:
        raise too_large(value)
    found = _parse(value)
    for path, text in _loose(found):
        if not isinstance(text, _Token) and _holds_card(text):
            raise Refused(path, _CARD, _CARD_HINT)
    if not isinstance(found, dict):
        raise Refused("$", "must be a JSON object", "send one receipt a message; an array is for the HTTP door")
    return _receipt(found)


def too_large(value: bytes) -> Refused:
    """The refusal of a message above the limit."""
    return Refused("$", f"has {len(value):,} bytes, more than 1 MiB", "split it: no receipt has so many lines")


def holds_secret(value: bytes) -> bool:
    """Whether a message that was refused, for whatever reason, holds what looks like a payment card number.

    Where a receipt can be told from it, its named ids and numbers are exempt, as they are when it is counted; in
    fields that are not named, numbers are looked at too. Else every digit of it is suspected.
    """
    try:
        found = _parse(value)
    except Refused:
        return holds_card_bytes(value)
    return any(_holds_card(text) for _, text in _loose(found))


def flags(column: list[bool]) -> list[bool] | None:
    """The column where one of its flags is set, else None."""
    return column if True in column else None


def known(column: list[str | None]) -> list[str | None] | None:
    """The column where one of its texts is known, else None."""
    return column if any(text is not None for text in column) else None


def _parse(value: bytes) -> Any:
    try:
        return json.loads(value.decode("utf-8"), parse_float=_Token, parse_int=_Token, parse_constant=_refuse_constant)
    except UnicodeDecodeError as fault:
        reason = f"is not UTF-8 at byte {fault.start}"
    except json.JSONDecodeError as fault:
        reason = f"is no JSON: {fault.msg[:1].lower()}{fault.msg[1:]} at character {fault.pos}"
    except RecursionError:
        reason = "is nested too deeply"
    except NumberFault as fault:
        reason = f"is no JSON: {fault}"
    raise Refused("$", reason, "send one JSON object in UTF-8") from None


def _refuse_constant(name: str) -> NoReturn:
    raise NumberFault(f"{name} is no number")


def _holds_card(text: str) -> bool:
    return len(text) >= SHORTEST_CARD and holds_card(text)


def _loose(found: Any) -> Iterator[tuple[str, str]]:
    """(path, text) of all strings and numbers but those of the named fields; customer_id is one of these all the same.

    Names of fields that are not named count as strings too, since they may hold anything.
    """
    if not isinstance(found, dict):
        yield from _texts("$", found)
        return
    for name, value in found.items():
        if name == "lines" and isinstance(value, list):
            for index, line in enumerate(value):
                yield from _loose_in_line(f"$.lines[{index}]", line)
        elif name not in _EXEMPT:
            yield from _texts(_field("$", name), value)
            yield "$", name
        elif isinstance(value, dict | list):
            yield from _texts(_field("$", name), value)


def _loose_in_line(path: str, line: Any) -> Iterator[tuple[str, str]]:
    if not isinstance(line, dict):
        yield from _texts(path, line)
        return
    for name, value in line.items():
        if name not in _EXEMPT_IN_LINE:
            yield from _texts(_field(path, name), value)
            yield path, name
        elif isinstance(value, dict | list):
            yield from _texts(_field(path, name), value)


def _texts(path: str, value: Any) -> Iterator[tuple[str, str]]:
    """Every string and number of a value, at any depth, names of fields included."""
    waiting = [(path, value)]
    while waiting:
        where, one = waiting.pop()
        if isinstance(one, dict):
            waiting += [(_field(where, name), inner) for name, inner in one.items()]
            yield from ((where, name) for name in one)
        elif isinstance(one, list):
            waiting += [(f"{where}[{index}]", inner) for index, inner in enumerate(one)]
        elif isinstance(one, str):
            yield where, one


def _field(path: str, name: str) -> str:
    """A field's path; a name that is none of the usual kind is left out, since it may hold anything."""
    return f"{path}.{name}" if re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]{0,40}", name) else f"{path}.*"


def _receipt(found: Mapping[str, Any]) -> Receipt:
    kind = _choice("$.type", found.get("type"), _TYPES)
    text = _text("$.occurred_at", _required("$.occurred_at", found))
    occurred_at = _checked(
        "$.occurred_at", instant, text, "send it as 2026-11-23T17:05:09+01:00, with the offset of the store"
    )
    currency = _text("$.currency", _required("$.currency", found))
    if currency not in CODES:
        raise Refused("$.currency", "is no currency of ISO 4217", "send three capital letters such as NOK")
    date = found.get("business_date")
    return Receipt(
        _identifier("$.transaction_id", _required("$.transaction_id", found)),
        _identifier("$.store_id", _required("$.store_id", found)),
        occurred_at,
        currency,
        text[:10]
        if date is None
        else _checked("$.business_date", _days.__getitem__, _text("$.business_date", date), "send it as 2026-11-23"),
        kind,  # type: ignore[arg-type]  # one of the literals
        _lines(_required("$.lines", found), kind),
        _optional("$.till_id", found.get("till_id"), _identifier),
        _optional("$.sequence", found.get("sequence"), _whole),
        _optional("$.customer_id", found.get("customer_id"), _text),
        _optional("$.original_transaction_id", found.get("original_transaction_id"), _text),
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
    if isinstance(name, _Token):
        _whole(f"{path}.line", name)
    elif name is not None:
        _text(f"{path}.line", name)
    back = _choice(f"{path}.kind", line.get("kind"), _KINDS) == "return"
    return (
        _identifier(f"{path}.sku", _required(f"{path}.sku", line)),
        _number(f"{path}.quantity", _required(f"{path}.quantity", line), QUANTITY),
        _number(f"{path}.amount", _required(f"{path}.amount", line), MONEY),
        _number(f"{path}.discount", line.get("discount"), MONEY),
        _number(f"{path}.tax", line.get("tax"), MONEY),
        back or kind == "return",
        _flag(f"{path}.void", line.get("void")),
        _optional(f"{path}.unit", line.get("unit"), _text),
        _flag(f"{path}.restocked", line.get("restocked")),
    )


def _required(path: str, found: Mapping[str, Any]) -> Any:
    value = found.get(path.rpartition(".")[2])
    if value is None:
        raise Refused(path, "is missing", "it is required")
    return value


def _optional(path: str, value: Any, read: Callable[[str, Any], T]) -> T | None:
    return None if value is None else read(path, value)


def _text(path: str, value: Any) -> str:
    if not isinstance(value, str) or isinstance(value, _Token):
        raise Refused(path, "must be a string", "put it into quotes" if isinstance(value, _Token) else "")
    if _SURROGATE.search(value):
        raise Refused(path, "holds half a character (a lone surrogate)", "send valid Unicode")
    return value


def _identifier(path: str, value: Any) -> str:
    text = _text(path, value)
    if not 1 <= len(text) <= IDENTIFIER_LENGTH:
        raise Refused(path, f"must have 1 to {IDENTIFIER_LENGTH} characters, not {len(text):,}")
    if _CONTROL.search(text):
        raise Refused(path, "holds a control character", "send the id as it is printed")
    return text


def _number(path: str, value: Any, scale: Scale) -> int:
    if value is None:
        return 0
    if not isinstance(value, str):
        raise Refused(path, "must be a number or a string that holds one")
    return _checked(path, scale.parse, value, 'send a decimal such as "12.50", never negative: returns have a kind')


def _whole(path: str, value: Any) -> int:
    if not isinstance(value, _Token) or not _WHOLE.fullmatch(value) or len(value) > _LONGEST_WHOLE:
        raise Refused(path, "must be a whole number of at most 64 bits")
    number = int(value)
    if not -LARGEST_INTEGER - 1 <= number <= LARGEST_INTEGER:
        raise Refused(path, "must be a whole number of at most 64 bits")
    return number


def _flag(path: str, value: Any) -> bool:
    if value is None or isinstance(value, bool):
        return value is True
    raise Refused(path, "must be true or false")


def _choice(path: str, value: Any, choices: tuple[str, ...]) -> str:
    if value is None:
        return choices[0]
    if isinstance(value, str) and not isinstance(value, _Token) and value in choices:
        return value
    raise Refused(path, f"must be one of {', '.join(choices)}")


def _checked(path: str, read: Callable[[str], T], text: str, hint: str) -> T:
    try:
        return read(text)
    except (NumberFault, TimeFault) as fault:
        raise Refused(path, str(fault), hint) from None
