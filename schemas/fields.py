"""Fields of a JSON message, read one by one: a value of the right kind, or a Refused with path, reason and hint.

Numbers stay the text that stands in the message, so that decimals are exact and no exponent passes. No reason repeats
a value.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from typing import Any, NoReturn, TypeVar

from schemas.errors import Refused
from schemas.numbers import NumberFault, Scale
from schemas.receipt import IDENTIFIER_LENGTH, LARGEST_INTEGER
from schemas.times import TimeFault

T = TypeVar("T")

_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f]")
_SURROGATE = re.compile("[\ud800-\udfff]")
_WHOLE = re.compile(r"-?[0-9]+")
_LONGEST_WHOLE = 20
DEEPEST = 64
_TOO_DEEP = "is nested too deeply"


class Token(str):
    """A JSON number, as it stands in the message."""

    __slots__ = ()


def parse(value: bytes) -> Any:
    """JSON with its numbers as Tokens; raises Refused.

    Nesting beyond DEEPEST is refused, whatever the stack of the caller would bear: a message must be judged alike
    wherever it is read.
    """
    try:
        text = value.decode("utf-8")
        found = json.loads(text, parse_float=Token, parse_int=Token, parse_constant=_refuse_constant)
    except UnicodeDecodeError as fault:
        reason = f"is not UTF-8 at byte {fault.start}"
    except json.JSONDecodeError as fault:
        reason = f"is no JSON: {fault.msg[:1].lower()}{fault.msg[1:]} at character {fault.pos}"
    except RecursionError:
        reason = _TOO_DEEP
    except NumberFault as fault:
        reason = f"is no JSON: {fault}"
    else:
        if text.count("[") + text.count("{") <= DEEPEST or _depth(found) <= DEEPEST:
            return found
        reason = _TOO_DEEP
    raise Refused("$", reason, "send one JSON object in UTF-8") from None


def _depth(found: Any) -> int:
    depth, level = 0, [found]
    while level := [one for one in level if isinstance(one, dict | list)]:
        depth += 1
        level = [inner for one in level for inner in (one.values() if isinstance(one, dict) else one)]
    return depth


def _refuse_constant(name: str) -> NoReturn:
    raise NumberFault(f"{name} is no number")


def required(path: str, found: Mapping[str, Any]) -> Any:
    """The value of a path's last field, which must be there; raises Refused."""
    value = found.get(path.rpartition(".")[2])
    if value is None:
        raise Refused(path, "is missing", "it is required")
    return value


def optional(path: str, value: Any, read: Callable[[str, Any], T]) -> T | None:
    """What `read` makes of a value, or None where it is absent."""
    return None if value is None else read(path, value)


def text_of(path: str, value: Any) -> str:
    """A string of whole characters; raises Refused."""
    if not isinstance(value, str) or isinstance(value, Token):
        raise Refused(path, "must be a string", "put it into quotes" if isinstance(value, Token) else "")
    if _SURROGATE.search(value):
        raise Refused(path, "holds half a character (a lone surrogate)", "send valid Unicode")
    return value


def identifier(path: str, value: Any) -> str:
    """A string that identifies; raises Refused."""
    text = text_of(path, value)
    if not 1 <= len(text) <= IDENTIFIER_LENGTH:
        raise Refused(path, f"must have 1 to {IDENTIFIER_LENGTH} characters, not {len(text):,}")
    if _CONTROL.search(text):
        raise Refused(path, "holds a control character", "send the id as it is printed")
    return text


def number(path: str, value: Any, scale: Scale) -> int:
    """A decimal in units of its scale, 0 where it is absent; raises Refused."""
    if value is None:
        return 0
    if not isinstance(value, str):
        raise Refused(path, "must be a number or a string that holds one")
    return checked(path, scale.parse, value, 'send a decimal such as "12.50", never negative: returns have a kind')


def whole(path: str, value: Any) -> int:
    """A whole number of 64 bits; raises Refused."""
    if not isinstance(value, Token) or not _WHOLE.fullmatch(value) or len(value) > _LONGEST_WHOLE:
        raise Refused(path, "must be a whole number of at most 64 bits")
    number = int(value)
    if not -LARGEST_INTEGER - 1 <= number <= LARGEST_INTEGER:
        raise Refused(path, "must be a whole number of at most 64 bits")
    return number


def flag(path: str, value: Any) -> bool:
    """True or false, false where it is absent; raises Refused."""
    if value is None or isinstance(value, bool):
        return value is True
    raise Refused(path, "must be true or false")


def choice(path: str, value: Any, choices: tuple[str, ...]) -> str:
    """One of the choices, the first where nothing is said; raises Refused."""
    if value is None:
        return choices[0]
    if isinstance(value, str) and not isinstance(value, Token) and value in choices:
        return value
    raise Refused(path, f"must be one of {', '.join(choices)}")


def checked(path: str, read: Callable[[str], T], text: str, hint: str) -> T:
    """What `read` makes of a text; raises Refused with its fault."""
    try:
        return read(text)
    except (NumberFault, TimeFault) as fault:
        raise Refused(path, str(fault), hint) from None
