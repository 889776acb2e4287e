"""What gets a tombstone, and when."""

from __future__ import annotations

import random

import pytest

from schemas.delivery import OPEN
from sinks.webhooks.endpoint import DAY, HOUR, SECOND
from sinks.webhooks.forgetting import FAILED_KEPT, Forgetting, asked_for_until
from tests.unit.sinks.webhooks.samples import NOW, delivery

AGE = 24 * HOUR
MANY = 1_000


def one(number, state="delivered", at=NOW, offset=None, **fields):
    offset = number if offset is None else offset
    return delivery(webhook_id=f"msg_{number}", state=state, at=at, occurred_at=at - SECOND, offset=offset, **fields)


def forgetting(*given, newest=99):
    """After these, and an alert with a larger offset than theirs."""
    box = Forgetting(AGE, HOUR)
    for each in (*given, one(newest, at=NOW + 999 * DAY)):
        box.learn(each)
    return box


@pytest.mark.parametrize(
    ("state", "kept"),
    [("delivered", AGE), ("expired", AGE), ("failed", FAILED_KEPT), ("disabled", FAILED_KEPT)],
)
def test_a_final_delivery_goes_once_nobody_may_ask_for_it_and_a_margin_has_passed(state, kept):
    box = forgetting(one(1, state))
    assert asked_for_until(one(1, state), AGE) == NOW + kept
    assert box.due(0, NOW + kept + HOUR - 1, MANY) == []
    assert box.due(0, NOW + kept + HOUR, MANY) == ["msg_1"]
    assert box.due(0, NOW + 99 * DAY, MANY) == [], "once"


def test_what_failed_is_never_forgotten_while_its_alert_could_still_be_sent():
    assert asked_for_until(one(1, "failed"), 30 * DAY) == NOW + 30 * DAY


def test_age_counts_from_the_alert_where_a_clock_puts_that_later():
    ahead = delivery(state="delivered", at=NOW, occurred_at=NOW + 2 * HOUR)
    assert asked_for_until(ahead, AGE) == NOW + 2 * HOUR + AGE


@pytest.mark.parametrize("state", OPEN)
def test_what_is_open_stays_and_counts_anew_once_it_is_final_again(state):
    later = NOW + 10 * DAY
    box = forgetting(one(1), one(1, state, at=later))
    assert box.due(0, NOW + 99 * DAY, MANY) == []
    box.learn(one(1, at=later))
    assert box.due(0, later + AGE, MANY) == []
    assert box.due(0, later + AGE + HOUR, MANY) == ["msg_1"]


def test_the_newest_alert_of_a_partition_stays_until_there_is_a_newer_one():
    box = Forgetting(AGE, HOUR)
    for each in (one(1), one(2, offset=5), one(3, offset=5), one(4, partition=1)):
        box.learn(each)
    assert box.due(0, NOW + 9 * DAY, MANY) == ["msg_1"]
    assert box.due(1, NOW + 9 * DAY, MANY) == []
    box.learn(one(5, offset=6, at=NOW + 9 * DAY))
    assert sorted(box.due(0, NOW + 9 * DAY, MANY)) == ["msg_2", "msg_3"]


def test_a_pass_is_bounded_and_the_next_one_goes_on():
    box = forgetting(*(one(number) for number in range(25)))
    later = NOW + 2 * DAY
    assert [len(box.due(0, later, 10)) for _ in range(4)] == [10, 10, 5, 0]


def test_what_has_its_tombstone_gets_no_other_and_what_is_not_ours_none():
    box = forgetting(one(1), one(2), one(3, partition=1))
    box.forgotten("msg_1")
    box.drop(1)
    assert box.due(0, NOW + 2 * DAY, MANY) == ["msg_2"]
    assert box.due(1, NOW + 2 * DAY, MANY) == []
    box.drop(0)
    assert len(box) == 0


def test_by_chance_nothing_open_goes_and_in_the_end_all_that_is_final_but_the_newest():
    drawn = random.Random(3)
    box, log, now = Forgetting(AGE, HOUR), {}, NOW
    for _ in range(5_000):
        now += drawn.randrange(HOUR)
        number = drawn.randrange(300)
        state = drawn.choice(["pending", "requested", "delivered", "failed", "disabled", "expired"])
        log[f"msg_{number}"] = one(number, state, at=now, partition=number % 3)
        box.learn(log[f"msg_{number}"])
        partition = drawn.randrange(3)
        for webhook_id in box.due(partition, now, drawn.randrange(20)):
            gone = log.pop(webhook_id)
            assert gone.state not in OPEN
            assert gone.partition == partition
            assert now >= asked_for_until(gone, AGE) + HOUR
    newest = [max(number for number in range(300) if number % 3 == part) for part in range(3)]
    for part in range(3):
        for webhook_id in box.due(part, now + 99 * DAY, 10**6):
            del log[webhook_id]
    kept = {webhook_id for webhook_id, each in log.items() if each.state not in OPEN}
    assert kept <= {f"msg_{number}" for number in newest}
    assert len(box) == len(kept)
