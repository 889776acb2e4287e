r"""Decimals of a receipt to integers, exactly: no float, and no Decimal object a value.

The form is `\d{1,12}(\.\d+)?`, as a string or a JSON number: no sign, no exponent, no more places than allowed, even
zeros. What a till sends repeats (prices, quantities of 1), so each text is parsed once and remembered; the memory is
bounded: of each kind 50,000 texts of at most 18 characters.
"""

from __future__ import annotations

import re
from typing import Any, NamedTuple

from schemas.window import MONEY_SCALE, QUANTITY_SCALE

_FORM = re.compile(r"([0-9]{1,12})(?:\.([0-9]+))?")
_REMEMBERED = 50_000


class NumberFault(ValueError):
    """Why a text is no such number; the reason never repeats the text."""


class Scale(NamedTuple):
    """A kind of number: how many places it may have, and what it must stay below."""

    name: str
    places: int
    below: int

    def parse(self, text: str) -> int:
        """The number in units of its last place; raises NumberFault."""
        found = _FORM.fullmatch(text)
        if found is None:
            raise NumberFault("must be a number such as 12 or 12.50: digits, no sign, no exponent")
        whole, rest = found[1], found[2] or ""
        if len(rest) > self.places:
            raise NumberFault(f"has more than {self.places} decimal places")
        if int(whole) >= self.below:
            raise NumberFault(f"must be below {self.below:,}")
        return int(whole + rest.ljust(self.places, "0"))


QUANTITY = Scale("quantity", QUANTITY_SCALE, 10**6)
MONEY = Scale("money", MONEY_SCALE, 10**9)


class Known(dict[Any, int]):
    """Texts (or JSON tokens) that were parsed before; None, an absent field, is 0.

    `known[text]` parses what is not known yet; raises NumberFault. Texts are str and tokens bytes (a string with its
    quotes, or a number as it stands in the message), so the two never share a key.
    """

    def __init__(self, scale: Scale) -> None:
        super().__init__({None: 0})
        self._scale = scale

    def __missing__(self, text: str | bytes) -> int:
        """Parse one, and remember it."""
        if len(self) > _REMEMBERED:
            self.clear()
            self[None] = 0
        if isinstance(text, bytes):
            token = text.decode("ascii", "replace")
            number = self._scale.parse(token[1:-1] if token.startswith('"') else token)
        else:
            number = self._scale.parse(text)
        self[text] = number
        return number
