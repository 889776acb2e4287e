"""Where payment card numbers may stand in a message: in customer_id, and in whatever the contract does not name.

Fields that it names are exempt, since one in ten ids passes Luhn.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from schemas.cards import holds_card, holds_card_bytes
from schemas.errors import Refused
from schemas.fields import Token, parse
from schemas.receipt import LineMessage, ReceiptMessage

_EXEMPT = frozenset(ReceiptMessage.__struct_fields__) - {"customer_id"}
_EXEMPT_IN_LINE = frozenset(LineMessage.__struct_fields__)
_SHORTEST = 14


def card_path(found: Any) -> str | None:
    """The path of the first string in which a card number stands, or None."""
    texts = ((path, text) for path, text in _loose(found) if not isinstance(text, Token))
    return next((path for path, text in texts if card_in(text)), None)


def holds_secret(value: bytes) -> bool:
    """Whether a message that was refused, for whatever reason, holds what looks like a payment card number.

    Where a receipt can be told from it, its named ids and numbers are exempt, as they are when it is counted; in
    fields that are not named, numbers are looked at too. Else every digit of it is suspected.
    """
    try:
        found = parse(value)
    except Refused:
        return holds_card_bytes(value)
    return any(card_in(text) for _, text in _loose(found))


def card_in(text: str) -> bool:
    """Whether a text, long enough for it, holds a card number."""
    return len(text) >= _SHORTEST and holds_card(text)


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
