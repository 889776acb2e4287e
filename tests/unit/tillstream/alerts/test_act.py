"""What is asked of an alert: the message for it, what needs none, and what is refused with a reason."""

from __future__ import annotations

from datetime import timedelta

import pytest

from schemas.errors import Stop
from tillstream.alerts import act

from .alerts import AT, found

LATER = act.micros(AT + timedelta(hours=4))


@pytest.mark.parametrize(
    ("kind", "state", "until"),
    [
        ("acknowledge", "raised", None), ("acknowledge", "snoozed", None), ("snooze", "raised", LATER),
        ("snooze", "acknowledged", LATER), ("resolve", "raised", None), ("resolve", "ordered", None),
    ],
)  # fmt: skip
def test_an_action_names_the_alert_its_store_and_who_asks(kind, state, until):
    asked = act.action(found(state=state), kind, "Kari", until)
    assert (asked.kind, asked.until, asked.actor) == (kind, until, "Kari")
    assert (asked.store_id, asked.alert_id) == ("12", "3f9a" + "0" * 28)
    assert asked.action_id != act.action(found(state=state), kind, "Kari", until).action_id


def test_what_is_so_already_needs_no_message():
    assert act.action(found(state="acknowledged"), "acknowledge", "", None) is None
    snoozed = found(state="snoozed", snoozed_until=AT + timedelta(hours=4))
    assert act.action(snoozed, "snooze", "", LATER) is None
    assert act.action(snoozed, "snooze", "", LATER + 1) is not None


@pytest.mark.parametrize("kind", ["acknowledge", "snooze", "resolve"])
def test_a_resolved_alert_is_refused_with_why_it_is_resolved(kind):
    with pytest.raises(Stop, match="is resolved already: recovered"):
        act.action(found(state="resolved", reason="recovered"), kind, "", LATER)


def test_what_is_on_order_need_not_be_acknowledged():
    with pytest.raises(Stop, match="covered by what is on order"):
        act.action(found(state="ordered"), "acknowledge", "", None)


@pytest.mark.parametrize(
    ("kind", "state", "leads"),
    [
        ("acknowledge", found(state="acknowledged"), True),
        ("acknowledge", found(state="raised", reason="more is at risk"), False),
        ("acknowledge", found(state="resolved"), True),
        ("resolve", found(state="resolved"), True),
        ("resolve", found(state="ordered"), False),
        ("snooze", found(state="snoozed", snoozed_until=AT + timedelta(hours=4)), True),
        ("snooze", found(state="snoozed", snoozed_until=AT + timedelta(hours=5)), False),
        ("snooze", found(state="snoozed"), False),
    ],
)
def test_an_answer_is_the_state_that_was_asked_for_or_the_end(kind, state, leads):
    asked = act.action(found(), kind, "", LATER if kind == "snooze" else None)
    assert act.leads_to(asked, state) is leads
