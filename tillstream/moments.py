"""Moments that people give on the command line: RFC 3339 with its offset, or so long from now."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

from schemas.errors import Stop
from schemas.times import TimeFault, instant
from tillstream.units import parse_duration

_UNIX = datetime(1970, 1, 1, tzinfo=UTC)
# A person leaves the seconds out; RFC 3339 wants them.
_TO_THE_MINUTE = re.compile(r"([0-9]{4}-[0-9]{2}-[0-9]{2}[Tt][0-9]{2}:[0-9]{2})([Zz]|[+-][0-9]{2}:[0-9]{2})")


def read(text: str) -> int:
    """Microseconds since the Unix epoch of a time with its offset; raises TimeFault."""
    return instant(_TO_THE_MINUTE.sub(r"\1:00\2", text.strip()))


def moment(option: str, text: str) -> int:
    """Microseconds since the Unix epoch of a time with its offset; raises Stop that names the option."""
    try:
        return read(text)
    except TimeFault as fault:
        raise Stop(f"{option} {fault}.", "Write it as 2026-11-27T08:00+01:00.") from None


def time_of(micros: int) -> datetime:
    """The time of so many microseconds since the Unix epoch, UTC."""
    return _UNIX + timedelta(microseconds=micros)


def in_a_while(option: str, text: str, now: int) -> int:
    """Microseconds since the Unix epoch, so long after `now`; raises Stop that names the option."""
    try:
        passed: timedelta = parse_duration(text)
    except ValueError as fault:
        raise Stop(f"{option}: {fault}.") from None
    return now + passed // timedelta(microseconds=1)
