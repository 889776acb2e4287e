"""What the demo's summary says of alerts: which are told, and what is to be tried."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from schemas import stock
from tillstream.alerts.found import FoundAlert
from tillstream.demo.alert_summary import NONE, as_json, by_rule, commands, sentences, telling
from tillstream.demo.restock_proof import RestockReport
from tillstream.demo.run import Outcome

THEN = datetime(2017, 12, 20, tzinfo=UTC)
NOW = datetime(2026, 11, 23, tzinfo=UTC)


def alert(alert_id, rule="reorder_point", state="raised", lost="1.00", changed_at=THEN):
    return FoundAlert(
        alert_id, 1, 0, rule, state, "warning", "367", "lettuce", "simulated: LETTUCE", "", "", "", Decimal(6),
        Decimal(0), Decimal(3), 2.0, Decimal(4), Decimal(lost), "USD", THEN, THEN, changed_at, None, "", {},
    )  # fmt: skip


def outcome(*alerts, moves=3):
    return Outcome(moves=moves, restock=RestockReport(7, 0, 2, 0, list(alerts)))


def said(found, max_age=timedelta(hours=24)):
    return "\n".join(sentences(found, max_age, NOW))


def test_alerts_are_counted_by_rule_whatever_their_state():
    counts = by_rule(
        outcome(alert("a"), alert("b", state="ordered"), alert("c", state="resolved"), alert("d", "surge"))
    )
    assert counts["reorder_point"] == {"raised": 3, "resolved": 1, "open": 2}
    assert counts["surge"] == {"raised": 1, "resolved": 0, "open": 1}
    assert counts["stock_out"] == {"raised": 0, "resolved": 0, "open": 0}


def test_of_each_rule_the_most_expensive_open_ones_are_told_before_those_that_an_order_covers():
    found = outcome(
        alert("covered", state="ordered", lost="9"), alert("cheap", lost="1"), alert("dear", lost="5"),
        alert("over", state="resolved", lost="99"), alert("silent", "silent_shelf", lost="0"),
    )  # fmt: skip
    assert [one.alert_id for one in telling(found)] == ["dear", "cheap", "silent"]


def test_what_is_to_be_tried_names_an_alert_and_a_count_that_would_be_taken_up():
    found = outcome(alert("dear"), alert("silent", "silent_shelf"), alert("late", changed_at=THEN + timedelta(days=10)))
    tried = list(commands(found))
    assert tried[:2] == ["tillstream alerts", "tillstream alerts explain dear"]
    count = stock.decode(tried[2].split("'")[1].encode())
    assert (count.store_id, count.sku, count.kind, count.quantity) == ("367", "lettuce", "count", 0)
    assert json.loads(tried[2].split("'")[1])["occurred_at"] == "2017-12-31T00:00:00Z"


def test_that_old_alerts_bring_no_webhooks_is_said_unless_they_do():
    assert "webhooks: none sent" in said(outcome(alert("a")))
    assert "webhooks" not in said(outcome(alert("a")), max_age=timedelta(days=9999))


def test_where_nothing_was_simulated_that_is_said_and_nothing_else():
    found = outcome(moves=0)
    assert said(found) == NONE
    assert list(commands(found)) == []
    assert as_json(found) is None


def test_programs_get_open_alerts_and_what_differs():
    told = as_json(outcome(alert("a"), alert("b", state="resolved")))
    assert [one["alert_id"] for one in told["open"]] == ["a"]
    assert (told["simulated"], told["states"], told["states_different"]) == (True, 7, 0)
