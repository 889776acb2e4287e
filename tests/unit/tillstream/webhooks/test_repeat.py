"""Which webhooks are sent again."""

from __future__ import annotations

import pytest

from schemas.errors import Stop
from sinks.webhooks.endpoint import DAY, HOUR
from sinks.webhooks.forgetting import FAILED_KEPT
from tests.unit.sinks.webhooks.samples import NOW, delivery
from tillstream.webhooks.repeat import Noted, chosen

AGE = 24 * HOUR
STATES = ("pending", "requested", "delivered", "expired", "failed", "disabled")
NOTED = Noted({f"msg_{state}": delivery(webhook_id=f"msg_{state}", state=state) for state in STATES}, {})


def ids_of(*ids, endpoint=None, now=NOW):
    return [one.webhook_id for one in chosen(NOTED, ids, endpoint, now, AGE)]


def test_without_ids_it_is_what_failed_or_was_not_sent():
    assert ids_of() == ["msg_failed", "msg_disabled"]
    assert ids_of(endpoint="erp") == ["msg_failed", "msg_disabled"]
    assert ids_of(endpoint="shop") == []


def test_any_that_is_final_can_be_named():
    assert ids_of("msg_delivered", "msg_expired", "msg_delivered") == ["msg_delivered", "msg_expired"]


def test_what_the_sender_is_about_to_forget_is_not_asked_for():
    assert ids_of(now=NOW + FAILED_KEPT - 1) == ["msg_failed", "msg_disabled"]
    assert ids_of(now=NOW + FAILED_KEPT) == []
    assert ids_of("msg_delivered", now=NOW + AGE - 1) == ["msg_delivered"]


@pytest.mark.parametrize(
    ("webhook_id", "late", "said"),
    [
        ("msg_x", 0, "No webhook has the id msg_x"), ("msg_pending", 0, "still to be sent"),
        ("msg_delivered", AGE, "too old to be sent again"), ("msg_failed", 14 * DAY, "kept for 14 days"),
    ],
)  # fmt: skip
def test_what_cannot_be_sent_again_is_said(webhook_id, late, said):
    with pytest.raises(Stop) as told:
        ids_of(webhook_id, now=NOW + late)
    assert said in f"{told.value} {told.value.hint}"
