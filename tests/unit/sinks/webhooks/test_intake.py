"""Which endpoint gets what, under which id, and when."""

from __future__ import annotations

import pytest

from schemas.times import TimeFault
from sinks.webhooks.endpoint import HOUR, MINUTE, SECOND
from sinks.webhooks.ids import webhook_id
from sinks.webhooks.intake import deliveries_of
from tests.unit.sinks.webhooks.samples import NOW, alert, endpoint

AGE = 24 * HOUR


def made(one, *endpoints, now=NOW, known=(), disabled=()):
    return deliveries_of(
        one, (3, 40), endpoints or [endpoint()], now, AGE,
        known=lambda number: number in known, disabled=lambda name: name in disabled,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("state", "event"),
    [
        ("raised", "restock.raised"), ("resolved", "restock.resolved"), ("acknowledged", None), ("snoozed", None),
        ("ordered", None),
    ],
)  # fmt: skip
def test_only_what_is_raised_and_resolved_is_sent(state, event):
    assert [one.type for one in made(alert(state=state))] == ([event] if event else [])


@pytest.mark.parametrize(
    ("fields", "wanted"),
    [
        ({}, True),
        ({"stores": frozenset({"12"})}, True),
        ({"stores": frozenset({"13"})}, False),
        ({"severity": "warning"}, True),
        ({"severity": "critical"}, False),
        ({"events": frozenset({"restock.resolved"})}, False),
    ],
)
def test_an_endpoint_gets_what_it_asks_for(fields, wanted):
    assert bool(made(alert(), endpoint(**fields))) is wanted


def test_an_id_is_of_alert_event_sequence_and_endpoint_and_of_nothing_else():
    first = webhook_id("a1", "restock.raised", 1, "erp")
    assert first == made(alert(on_hand="2"))[0].webhook_id == "msg_0e84f47a0049c3060591b7b9260aeaf1"
    others = [
        webhook_id("a2", "restock.raised", 1, "erp"), webhook_id("a1", "restock.resolved", 1, "erp"),
        webhook_id("a1", "restock.raised", 3, "erp"), webhook_id("a1", "restock.raised", 1, "shop"),
    ]  # fmt: skip
    assert len({first, *others}) == 5


def test_a_delivery_names_the_place_of_its_alert_and_what_it_is_about():
    (one,) = made(alert(severity="critical"))
    assert (one.partition, one.offset, one.alert_id, one.sequence, one.occurred_at) == (3, 40, "a1", 1, NOW - SECOND)
    assert (one.store_id, one.sku, one.rule, one.severity) == ("12", "7038010055720", "reorder_point", "critical")
    assert (one.state, one.attempt, one.next_at) == ("pending", 0, NOW)


def test_what_stands_in_the_log_already_makes_no_second_delivery():
    assert made(alert(), known={webhook_id("a1", "restock.raised", 1, "erp")}) == []


@pytest.mark.parametrize(("late", "state"), [(AGE - SECOND, "pending"), (AGE, "expired")])
def test_an_alert_that_is_too_old_by_the_wall_clock_is_recorded_and_not_sent(late, state):
    (one,) = made(alert(), now=NOW + late)
    assert one.state == state
    assert bool(one.next_at) is (state == "pending")


def test_age_counts_from_the_alerts_last_change_or_where_there_is_none_from_its_beginning():
    old = "2026-11-01T00:00:00Z"
    assert made(alert(raised_at=old))[0].state == "pending"
    assert made(alert(raised_at=old, changed_at=""))[0].state == "expired"


def test_a_disabled_endpoint_gets_nothing_and_the_others_do():
    states = {one.endpoint: one.state for one in made(alert(), endpoint(), endpoint(name="shop"), disabled={"erp"})}
    assert states == {"erp": "disabled", "shop": "pending"}


@pytest.mark.parametrize(
    ("fields", "digested"),
    [({}, True), ({"severity": "critical"}, False), ({"state": "resolved"}, False)],
)
def test_a_digest_gathers_what_is_raised_below_critical_to_the_next_multiple_of_its_length(fields, digested):
    (one,) = made(alert(**fields), endpoint(digest=15 * MINUTE))
    at = NOW - NOW % (15 * MINUTE) + 15 * MINUTE if digested else NOW
    assert one.next_at == at


def test_times_that_are_none_are_a_fault():
    with pytest.raises(TimeFault):
        made(alert(changed_at="yesterday"))
