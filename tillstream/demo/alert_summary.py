"""What restock said of simulated stock, for people and for programs."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any, get_args

from schemas.alert import Rule
from tillstream import console
from tillstream.alerts import shown
from tillstream.alerts.explain import number
from tillstream.alerts.found import SHORT, FoundAlert
from tillstream.demo.live_stock import LABEL
from tillstream.demo.run import Outcome

RULES: tuple[Rule, ...] = get_args(Rule)
TOLD_EACH = 2
HOUR = timedelta(hours=1)
NONE = "alerts: none: stock is simulated where the receipts are of two weeks or more (without --limit, of a year)"


def print_alerts(outcome: Outcome) -> None:
    """Print how many alerts there were, and the most telling that are open; nothing where no stock was simulated."""
    if not outcome.moves:
        return
    rows = [(rule, *(f"{many:,}" for many in counts.values())) for rule, counts in by_rule(outcome).items()]
    figures = ["raised", "resolved", "open"]
    console.table("alerts of simulated stock", ["rule", *figures], rows, right=figures)
    told = [
        (
            one.alert_id[:SHORT], one.rule, one.store_id, one.name.removeprefix(LABEL), shown.quantity(one.on_hand),
            _days(one), shown.quantity(one.suggested_order), shown.lost(one),
        )
        for one in telling(outcome)
    ]  # fmt: skip
    figures = ["on hand", "days left", "order", "lost a day"]
    names = ["id", "rule", "store", "product", *figures]
    console.table("open alerts of simulated stock, of each rule the most expensive", names, told, right=figures)


def sentences(outcome: Outcome, max_age: timedelta, now: datetime) -> Iterator[str]:
    """What must be said of them, a line each; no webhook is sent of an alert older than `max_age`."""
    restock = outcome.restock
    if not outcome.moves:
        yield NONE
        return
    yield (
        f"simulated stock: {outcome.moves:,} movements on {restock.shelves} shelves beside real receipts, and "
        f"{outcome.invented:,} receipts with a rush in a store that does not exist: ids and products say simulated"
    )
    yield (
        f"alerts: {restock.states:,} states decided again from the log, {restock.states_differ} differences; "
        f"stock: {restock.shelves} shelves as simulated, {restock.shelves_differ} differences"
    )
    newest = max((one.changed_at for one in restock.alerts), default=None)
    if newest is not None and now - newest > max_age:
        yield (
            "webhooks: none sent: these alerts are years old, and no news after "
            f"{max_age / HOUR:,.0f} h; TILLSTREAM_MAX_ALERT_AGE=9999d sends them to the endpoints of tillstream.toml. "
            "`tillstream webhook listen` and `webhook test` show one"
        )


def commands(outcome: Outcome) -> Iterator[str]:
    """What to try while it serves, with alerts that are there."""
    open_ones = telling(outcome)
    if not outcome.moves or not open_ones:
        return
    yield "tillstream alerts"
    yield f"tillstream alerts explain {open_ones[0].alert_id[:SHORT]}"
    # Not of a moment that lies before the store's newest receipt by more than the grace: that would be refused.
    later = max(one.changed_at for one in outcome.restock.alerts) + 24 * HOUR
    silent = next((one for one in open_ones if one.rule == "silent_shelf"), open_ones[0])
    count = {
        "movement_id": "my-count-1", "store_id": silent.store_id, "sku": silent.sku, "kind": "count", "quantity": "0",
        "occurred_at": f"{later:%Y-%m-%dT%H:%M:%SZ}",
    }  # fmt: skip
    yield f"echo '{json.dumps(count)}' | tillstream stock -   # somebody looks: the shelf is empty"


def by_rule(outcome: Outcome) -> dict[str, dict[str, int]]:
    """How many alerts of each rule were raised, and of these are resolved and open by now."""
    found: dict[str, dict[str, int]] = {}
    for rule in RULES:
        mine = [one.state for one in outcome.restock.alerts if one.rule == rule]
        resolved = mine.count("resolved")
        found[rule] = {"raised": len(mine), "resolved": resolved, "open": len(mine) - resolved}
    return found


def telling(outcome: Outcome) -> list[FoundAlert]:
    """Of each rule the most expensive that are open, those first that nothing on order covers."""
    still = [one for one in outcome.restock.alerts if one.state != "resolved"]
    still.sort(key=lambda one: (one.state == "ordered", -(one.lost_revenue_per_day or 0), one.alert_id))
    return [one for rule in RULES for one in [one for one in still if one.rule == rule][:TOLD_EACH]]


def as_json(outcome: Outcome) -> dict[str, Any] | None:
    """The same for programs; None where no stock was simulated."""
    restock = outcome.restock
    if not outcome.moves:
        return None
    return {
        "simulated": True,
        "movements": outcome.moves,
        "receipts": outcome.invented,
        "shelves": restock.shelves,
        "shelves_different": restock.shelves_differ,
        "states": restock.states,
        "states_different": restock.states_differ,
        "rules": by_rule(outcome),
        "open": [shown.plain(one) for one in restock.alerts if one.state != "resolved"],
    }


def _days(alert: FoundAlert) -> str:
    days = alert.figures.get("days_of_cover_at_surge", alert.days_of_cover)
    return shown.UNKNOWN if days is None else number(round(days, 1))
