"""Times and dates of a receipt: RFC 3339 with its offset, to microseconds since the Unix epoch, UTC."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta

FIRST_YEAR, LAST_YEAR = 1970, 2105

# Groups: up to the minute, second, fraction, offset. The common form has no second 60 and at most 6 digits.
_FORM = re.compile(
    r"([0-9]{4}-[0-9]{2}-[0-9]{2}[Tt][0-9]{2}:[0-9]{2}:)([0-9]{2})(\.[0-9]+)?([Zz]|[+-][0-9]{2}:[0-9]{2})"
)
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_UNIX = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_END = (datetime(LAST_YEAR + 1, 1, 1, tzinfo=UTC) - _UNIX) // _MICROSECOND
_MOST_DIGITS = 7  # the point and six digits
_FIRST_DAY, _LAST_DAY = f"{FIRST_YEAR}-01-01", f"{LAST_YEAR}-12-31"
_REMEMBERED = 50_000


class TimeFault(ValueError):
    """Why a text is no such time or date; the reason never repeats the text."""


# The moment in which a minute begins at an offset, by all of the text but its two digits of seconds.
_minutes: dict[str, int] = {}
_SECONDS = {f"{second:02}": second * 1_000_000 for second in range(60)}


def instant(text: str) -> int:
    """Microseconds since the Unix epoch; second 60 is read as 59, digits beyond microseconds are dropped.

    Raises TimeFault on what is no RFC 3339 time with an offset, or outside 1970 to 2105.
    """
    minute = text[:17] + text[19:]
    try:
        return _minutes[minute] + _SECONDS[text[17:19]]
    except KeyError:
        moment = _instant(text)
    second = _SECONDS.get(text[17:19])
    if second is not None:
        if len(_minutes) > _REMEMBERED:
            _minutes.clear()
        _minutes[minute] = moment - second
    return moment


def _instant(text: str) -> int:
    found = _FORM.fullmatch(text)
    if found is None:
        raise TimeFault(_why(text))
    head, second, fraction, offset = found.groups()
    if second == "60" or (fraction is not None and len(fraction) > _MOST_DIGITS) or text[10] == "t" or offset == "z":
        second = "59" if second == "60" else second
        text = f"{head.upper()}{second}{(fraction or '')[:_MOST_DIGITS]}{offset.upper()}"
    try:
        moment = (datetime.fromisoformat(text) - _UNIX) // _MICROSECOND
    except (ValueError, OverflowError):
        raise TimeFault("is no moment that exists") from None
    if not 0 <= moment < _END or not _FIRST_DAY <= text[:10] <= _LAST_DAY:
        raise TimeFault(f"must lie in the years {FIRST_YEAR} to {LAST_YEAR}")
    return moment


def _why(text: str) -> str:
    if _FORM.fullmatch(text + "Z"):
        return "has no offset from UTC"
    return "must be an RFC 3339 time with its offset"


class Days(dict[str, str]):
    """`days[text]` is the text itself where it is an ISO date of 1970 to 2105; raises TimeFault."""

    def __missing__(self, text: str) -> str:
        """Check a text that is not remembered."""
        if _DATE.fullmatch(text) is None:
            raise TimeFault("must be a date such as 2026-11-23")
        try:
            date.fromisoformat(text)
        except ValueError:
            raise TimeFault("is no day of the calendar") from None
        if not _FIRST_DAY <= text <= _LAST_DAY:
            raise TimeFault(f"must lie in the years {FIRST_YEAR} to {LAST_YEAR}")
        if len(self) > _REMEMBERED:
            self.clear()
        self[text] = text
        return text
