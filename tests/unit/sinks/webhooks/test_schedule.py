"""What follows from an answer."""

from __future__ import annotations

import pytest

from sinks.webhooks import strangers
from sinks.webhooks.endpoint import DELAYS, HOUR, MINUTE, SECOND, Tuning
from sinks.webhooks.health import Health
from sinks.webhooks.schedule import Outcome, Pace, after, retry_after
from tests.unit.sinks.webhooks.samples import NOW, delivery

TUNING = Tuning()
EVEN = 0.5  # the luck that moves nothing


@pytest.mark.parametrize(
    ("status", "state"),
    [
        (200, "delivered"), (204, "delivered"), (299, "delivered"), (0, "pending"), (301, "pending"), (307, "pending"),
        (400, "pending"), (404, "pending"), (410, "disabled"), (429, "pending"), (500, "pending"),
    ],
)  # fmt: skip
def test_only_2xx_is_success_and_410_ends_it(status, state):
    then = after(delivery(), Outcome(status, "said"), NOW, TUNING, EVEN)
    assert (then.state, then.attempt, then.status) == (state, 1, status)
    assert then.reason == ("" if state == "delivered" else "said")
    assert (then.next_at > NOW) is (state == "pending")


def test_ten_attempts_are_made_in_about_75_hours():
    one, now, moments = delivery(), 0, [0]
    while True:
        one = after(one, Outcome(500), now, TUNING, EVEN)
        if one.state != "pending":
            break
        now = one.next_at
        moments.append(now)
    assert one.state == "failed"
    assert len(moments) == one.attempt == 10
    assert moments[-1] == sum(DELAYS) == 75 * HOUR + 35 * MINUTE + 5 * SECOND


def test_what_its_endpoint_is_not_named_for_waits_as_long_as_one_that_does_not_answer_would_be_tried():
    one = delivery(state="pending", attempt=3, status=503, at=NOW, next_at=NOW + MINUTE)
    assert strangers.waiting(one, TUNING).next_at == NOW + 75 * HOUR + 35 * MINUTE + 5 * SECOND
    ended = strangers.given_up(one, NOW + 76 * HOUR)
    assert (ended.state, ended.next_at, ended.attempt, ended.at) == ("failed", 0, 3, NOW + 76 * HOUR)
    assert "[[webhooks]]" in ended.reason


@pytest.mark.parametrize(("luck", "share"), [(0.0, 0.9), (0.5, 1.0), (0.999999, 1.1)])
def test_the_next_attempt_is_moved_by_up_to_a_tenth_either_way(luck, share):
    then = after(delivery(attempt=1), Outcome(500), NOW, TUNING, luck)
    assert (then.next_at - NOW) / (5 * MINUTE) == pytest.approx(share, abs=1e-3)


@pytest.mark.parametrize(
    ("hint", "delay"), [(0, 5 * SECOND), (SECOND, 5 * SECOND), (MINUTE, MINUTE), (90 * HOUR, 24 * HOUR)]
)
def test_a_receiver_may_put_an_attempt_off_but_not_for_ever_and_not_bring_it_forward(hint, delay):
    assert after(delivery(), Outcome(503, "", hint), NOW, TUNING, EVEN).next_at == NOW + delay


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        (None, 0), ("", 0), ("120", 120), (" 7 ", 7), ("-3", 0), ("soon", 0), ("1.5", 0), ("²", 0),
        ("Mon, 23 Nov 2026 17:06:09 GMT", 60), ("Mon, 23 Nov 2026 17:00:00 GMT", 0), ("9" * 400, 10**9),
    ],
)  # fmt: skip
def test_a_retry_after_is_seconds_or_a_date(value, seconds):
    assert retry_after(value, NOW) == seconds * SECOND


def test_an_endpoint_that_says_too_much_gets_longer_and_longer_pauses_and_one_at_a_time_until_it_succeeds():
    pace, pauses = Pace(), []
    for status in (500, 429, 502, 504):
        pace = pace.after(Outcome(status), NOW, TUNING)
        pauses.append(pace.held_until and (pace.held_until - NOW) // SECOND)
    assert pauses == [0, 1, 2, 4]
    assert (Pace().width(4), pace.width(4)) == (4, 1)
    assert pace.after(Outcome(429, "", 30 * SECOND), NOW, TUNING).held_until == NOW + 30 * SECOND
    assert pace.after(Outcome(429, "", 9 * HOUR), NOW, TUNING).held_until == NOW + TUNING.longest_pause
    assert pace.after(Outcome(200), NOW, TUNING) == Pace()


def answers(*steps):
    """States that are noted after answers: (status, minutes since the beginning)."""
    health, noted = Health(), []
    for status, minutes in steps:
        state = health.after("erp", Outcome(status, f"answered {status}"), NOW + minutes * MINUTE, TUNING)
        if state:
            health.learn(state)
            noted.append((state.state, (state.since - NOW) // MINUTE))
    return noted, health.disabled("erp")


DAYS = 24 * 60


@pytest.mark.parametrize(
    ("steps", "noted", "disabled"),
    [
        ([(200, 0), (200, 1)], [], False),
        ([(500, 0), (200, 2), (500, 3)], [], False),
        ([(500, 0), (500, 1), (500, 2), (200, 3)], [("failing", 0), ("ok", 3)], False),
        ([(500, 0), (0, 1), (500, 5 * DAYS - 1)], [("failing", 0)], False),
        ([(500, 0), (0, 1), (500, 5 * DAYS), (500, 6 * DAYS)], [("failing", 0), ("disabled", 5 * DAYS)], True),
        ([(410, 0), (500, 1)], [("disabled", 0)], True),
        ([(410, 0), (200, 1)], [("disabled", 0), ("ok", 1)], False),
    ],
)  # fmt: skip
def test_an_endpoint_is_given_up_after_five_days_of_failure_or_when_it_asks_for_it(steps, noted, disabled):
    assert answers(*steps) == (noted, disabled)
