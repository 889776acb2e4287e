"""The store's own clock: a week is learned, quiet hours and leaps say nothing, late receipts move it when they come."""

from __future__ import annotations

import pytest

from streams.restock.trading import DAY, HOUR, HOURS_A_DAY, HOURS_A_WEEK, Trading
from tests.unit.streams.restock.feeds import MONDAY

MINUTE = HOUR // 60


def receipts_of(moment):
    """Open from 8 to 20, closed on Sundays; twice as busy on Saturdays."""
    day, hour = moment // DAY % 7, moment % DAY // HOUR
    sunday, saturday = 3, 2  # the epoch was a Thursday
    if day == sunday or not 8 <= hour < 20:
        return 0
    return 40 if day == saturday else 20


def after_weeks(weeks, trading=None):
    trading = trading or Trading()
    for hour in range(weeks * HOURS_A_WEEK):
        moment = MONDAY + hour * HOUR + 59 * MINUTE
        if receipts_of(moment):
            trading.advance(moment, receipts_of(moment))
    trading.advance(MONDAY + weeks * 7 * DAY + MINUTE, 0)
    return trading


def test_a_stores_week_is_learned():
    trading = after_weeks(10)
    now = MONDAY + 70 * DAY
    weekday, saturday = trading.ahead(now, 1), trading.ahead(now + 5 * DAY, 1)
    assert saturday == pytest.approx(2 * weekday, rel=0.03)
    assert trading.ahead(now + 6 * DAY, 1) == pytest.approx(0, abs=1e-9)
    assert trading.ahead(now + 20 * HOUR, 12 / 24) == pytest.approx(0, abs=1e-9)
    assert trading.a_day() == pytest.approx(trading.ahead(now, 7) / 7)


def test_the_clock_runs_as_fast_as_the_week_lets_expect():
    trading = after_weeks(10)
    before, expected = trading.done, trading.ahead(MONDAY + 70 * DAY, 7)
    for hour in range(HOURS_A_WEEK):
        moment = MONDAY + 70 * DAY + hour * HOUR + 59 * MINUTE
        if receipts_of(moment):
            trading.advance(moment, receipts_of(moment))
    assert trading.done - before == pytest.approx(expected, rel=0.03)


@pytest.mark.parametrize("days", [1 / 48, 0.5, 1, 2.2, 7, 9.75, 21])
@pytest.mark.parametrize("at", [0, 8 * HOUR + 20 * MINUTE, 3 * DAY - MINUTE, 6 * DAY + 23 * HOUR + 59 * MINUTE])
def test_what_is_ahead_is_the_sum_of_its_minutes(days, at):
    trading = after_weeks(4)
    now = MONDAY + 28 * DAY + at
    minutes = round(days * 24 * 60)
    expected = sum(trading.week[(now + one * MINUTE) // HOUR % HOURS_A_WEEK] / 60 for one in range(minutes))
    assert trading.ahead(now, days) == pytest.approx(expected, abs=1e-6)


def test_until_a_week_has_been_seen_a_day_has_twelve_hours():
    trading = Trading()
    trading.advance(MONDAY + 9 * HOUR, 20)
    assert (trading.ahead(MONDAY, 3), trading.a_day()) == (3 * HOURS_A_DAY, HOURS_A_DAY)
    assert trading.ahead(MONDAY, 0) == 0


def test_hours_without_receipts_move_no_clock():
    trading = after_weeks(2)
    done = trading.done
    trading.advance(MONDAY + 14 * DAY + 8 * HOUR, 0)
    trading.advance(MONDAY + 15 * DAY, 0)
    assert trading.done == done


def test_an_hour_with_twice_the_usual_receipts_counts_two():
    trading = after_weeks(10)
    usual = trading.receipts_an_hour
    done = trading.done
    trading.advance(MONDAY + 70 * DAY + 9 * HOUR, round(2 * usual))
    assert trading.done - done == pytest.approx(2, rel=0.05)


def test_a_watermark_that_leaps_by_months_leaves_the_week_as_it_was():
    trading = after_weeks(10)
    week = list(trading.week)
    leapt = MONDAY + 70 * DAY + 90 * DAY
    trading.advance(leapt, 0)
    changed = [at for at in range(HOURS_A_WEEK) if trading.week[at] != pytest.approx(week[at])]
    assert len(changed) <= 1  # the hour that was under way


def test_a_quiet_day_within_a_week_is_learned_little_by_little():
    trading = after_weeks(10)
    usual = trading.ahead(MONDAY + 70 * DAY, 1)
    trading.advance(MONDAY + 71 * DAY + 8 * HOUR, 20)
    again = trading.ahead(MONDAY + 77 * DAY, 1)
    assert 0.8 * usual < again < usual


def test_late_receipts_move_the_clock_when_they_come_and_belong_to_no_other_hour():
    trading = after_weeks(10)
    now = MONDAY + 70 * DAY + 12 * HOUR
    trading.advance(now, 20)
    done = trading.done
    assert trading.advance(now - 20 * HOUR, 10) is False  # no hour has passed
    assert trading.done > done
    assert trading.hour == now // HOUR


def test_receipts_that_are_taken_back_never_turn_the_clock_below_nothing():
    trading = after_weeks(1)
    trading.advance(MONDAY + 7 * DAY + HOUR, -100_000)
    assert trading.done == 0
    assert trading.last_hour(MONDAY + 7 * DAY + HOUR) == 0


def test_the_last_hour_is_of_sixty_minutes_across_the_full_hour():
    trading = after_weeks(10)
    begin = MONDAY + 70 * DAY + 9 * HOUR
    trading.advance(begin, 20)
    trading.advance(begin + HOUR + 15 * MINUTE, 5)
    expected = (5 + 20 * 0.75) / trading.receipts_an_hour
    assert trading.last_hour(begin + HOUR + 15 * MINUTE) == pytest.approx(expected)
