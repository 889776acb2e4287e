"""Payment card numbers, so that none is ever stored: 14 to 19 digits that pass Luhn and begin like a card's.

Single blanks and hyphens between digits are looked through. A run of plain digits counts as a whole: in a longer id
some part passes by chance. Where blanks or hyphens part it, every row of its groups is looked at, since a number may
stand beside another one (`4111 1111 1111 1111 12/27`).
"""

from __future__ import annotations

import re

_SHORTEST, _LONGEST = 14, 19
_RUN = re.compile(r"[0-9](?:[ -]?[0-9]){13,}")
_RUN_OF_BYTES = re.compile(rb"[0-9](?:[ -]?[0-9]){13,}")
_PARTS = re.compile(r"[ -]")
# The issuers' ranges: 4; 51-55; 2221-2720; 34, 37; 36, 38, 300-305; 6011, 644-649, 65; 3528-3589; 50, 56-69.
_RANGES = ((4, 4), (50, 69), (2221, 2720), (34, 34), (36, 38), (300, 305), (3528, 3589))
_PREFIXES = frozenset(str(number) for first, last in _RANGES for number in range(first, last + 1))
_PREFIX_LENGTHS = sorted({len(prefix) for prefix in _PREFIXES})
_DOUBLED = (0, 2, 4, 6, 8, 1, 3, 5, 7, 9)


def holds_card(text: str) -> bool:
    """Whether a payment card number stands anywhere in a text."""
    return any(_is_card_run(found[0]) for found in _RUN.finditer(text))


def holds_card_bytes(text: bytes) -> bool:
    """The same for bytes of any kind."""
    return any(_is_card_run(found[0].decode("ascii")) for found in _RUN_OF_BYTES.finditer(text))


def may_hold_card(text: bytes) -> bool:
    """Whether there are digits enough for one: quick, and True for most long ids too."""
    return _RUN_OF_BYTES.search(text) is not None


def _is_card_run(run: str) -> bool:
    groups = _PARTS.split(run)
    for first in range(len(groups)):
        digits = ""
        for group in groups[first:]:
            digits += group
            if len(digits) > _LONGEST:
                break
            if len(digits) >= _SHORTEST and _begins_like_a_card(digits) and _passes_luhn(digits):
                return True
    return False


def _begins_like_a_card(digits: str) -> bool:
    return any(digits[:length] in _PREFIXES for length in _PREFIX_LENGTHS)


def _passes_luhn(digits: str) -> bool:
    """ISO/IEC 7812-1, annex B: every second digit from the right doubled, digits added up, a multiple of ten."""
    total = sum(int(digit) for digit in digits[-1::-2]) + sum(_DOUBLED[int(digit)] for digit in digits[-2::-2])
    return total % 10 == 0
