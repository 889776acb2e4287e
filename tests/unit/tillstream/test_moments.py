"""Moments on the command line."""

from __future__ import annotations

import pytest

from schemas.errors import Stop
from schemas.times import instant
from tillstream.moments import in_a_while, moment

NOW = instant("2026-11-26T08:00:00Z")


@pytest.mark.parametrize(
    ("text", "same"),
    [
        ("2026-11-27T08:00+01:00", "2026-11-27T07:00:00Z"),
        ("2026-11-27T08:00:30+01:00", "2026-11-27T07:00:30Z"),
        (" 2026-11-27T08:00Z ", "2026-11-27T08:00:00Z"),
    ],
)
def test_seconds_may_be_left_out_and_the_offset_may_not(text, same):
    assert moment("--until", text) == instant(same)


@pytest.mark.parametrize(
    ("text", "reason"),
    [("2026-11-27T08:00:00", "--until has no offset"), ("tomorrow", "--until must be an RFC 3339 time")],
)
def test_what_is_no_moment_is_told_with_the_option(text, reason):
    with pytest.raises(Stop, match=reason):
        moment("--until", text)


def test_a_while_is_a_duration_from_now():
    assert in_a_while("--for", "4h", NOW) == instant("2026-11-26T12:00:00Z")
    with pytest.raises(Stop, match="--for: 'soon' is no duration"):
        in_a_while("--for", "soon", NOW)
