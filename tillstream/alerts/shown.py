"""Alerts for people and for programs."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

from tillstream import console
from tillstream.alerts.explain import Step, number
from tillstream.alerts.found import SHORT, FoundAlert

UNKNOWN = "—"


def plain(alert: FoundAlert) -> dict[str, Any]:
    """One alert as JSON has it."""
    told = dataclasses.asdict(alert)
    del told["partition"]
    return told


def table(alerts: Sequence[FoundAlert]) -> None:
    """Print alerts, one a line."""
    rows = [
        (
            alert.alert_id[:SHORT], alert.severity, alert.rule, alert.state, alert.store_id, alert.sku, alert.name,
            quantity(alert.on_hand), quantity(alert.suggested_order), lost(alert), moment(alert.raised_at),
        )
        for alert in alerts
    ]  # fmt: skip
    names = ("id", "severity", "rule", "state", "store", "sku", "product", "on hand", "order", "lost a day", "since")
    console.table("alerts", names, rows, right=("on hand", "order", "lost a day"))


def show(alert: FoundAlert, states: Sequence[FoundAlert]) -> None:
    """Print one alert, and how it came to its state."""
    product = ", ".join(filter(None, (alert.name, alert.brand, alert.category, alert.department)))
    snoozed = None if alert.snoozed_until is None else moment(alert.snoozed_until)
    for name, value in (
        ("alert", alert.alert_id), ("rule", alert.rule), ("severity", alert.severity), ("state", alert.state),
        ("until", snoozed), ("reason", alert.reason or None), ("store", alert.store_id), ("sku", alert.sku),
        ("product", product or None), ("on hand", quantity(alert.on_hand)), ("on order", quantity(alert.on_order)),
        ("reorder point", quantity(alert.reorder_point)),
        ("days of cover", UNKNOWN if alert.days_of_cover is None else number(alert.days_of_cover)),
        ("suggested order", quantity(alert.suggested_order)), ("lost a day", lost(alert)),
        ("raised at", moment(alert.raised_at)),
    ):  # fmt: skip
        if value is not None:
            console.out.print(f"{name:15} {console.printable(value)}", soft_wrap=True, markup=False)
    rows = [(one.sequence, one.state, one.severity, quantity(one.on_hand), moment(one.changed_at), one.reason)
            for one in states]  # fmt: skip
    console.table("its states", ("", "state", "severity", "on hand", "at", "reason"), rows, right=("", "on hand"))
    console.note(f"why it fired: `tillstream alerts explain {alert.alert_id[:SHORT]}`")


def explain(alert: FoundAlert, steps: Sequence[Step]) -> None:
    """Print the arithmetic, a line a step."""
    what = alert.sku + (f" ({alert.name})" if alert.name else "")
    head = f"{alert.rule} of {what} in store {alert.store_id}, as it stood at {moment(alert.changed_at)}"
    console.out.print(console.printable(head), soft_wrap=True, markup=False)
    if not steps:
        console.out.print("it carries no figures that its rule can be computed from")
        return
    width = max(len(step.what) for step in steps)
    for step in steps:
        console.out.print(line(step, width), soft_wrap=True, markup=False)


def line(step: Step, width: int) -> str:
    """One step on a line."""
    result = "" if step.result is None else f" = {number(step.result)}{f' {step.unit}' if step.unit else ''}"
    joined = " = " if step.result is not None else ": "
    return f"{step.what:{width}}{joined}{step.formula}{result}{f'  ({step.note})' if step.note else ''}"


def moment(at: datetime) -> str:
    """A time as people read it: UTC, to the second."""
    return f"{at:%Y-%m-%d %H:%M:%S}Z"


def lost(alert: FoundAlert) -> str:
    """The revenue that a day without stock costs."""
    a_day = alert.lost_revenue_per_day
    return UNKNOWN if a_day is None else f"{a_day:,.2f} {alert.currency}".rstrip()


def quantity(value: Decimal | None) -> str:
    """Without needless zeros."""
    if value is None:
        return UNKNOWN
    text = f"{value:,f}"
    return text.rstrip("0").rstrip(".") if "." in text else text
