"""Alerts as the views `alerts` and `alert_states` have them: listed, and found by a part of their id."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from clickhouse_connect.driver.client import Client

from schemas.errors import Stop
from tillstream.ch import answering

# So many hexadecimal digits of an id are shown: enough to tell a million alerts apart.
SHORT = 10
_NAMED = 5


@dataclass(frozen=True, slots=True)
class FoundAlert:
    """One state of an alert. `partition` is that of the topics, times are aware UTC, None is unknown."""

    alert_id: str
    sequence: int
    partition: int
    rule: str
    state: str
    severity: str
    store_id: str
    sku: str
    name: str
    department: str
    category: str
    brand: str
    on_hand: Decimal
    on_order: Decimal
    reorder_point: Decimal | None
    days_of_cover: float | None
    suggested_order: Decimal | None
    lost_revenue_per_day: Decimal | None
    currency: str
    window_start: datetime
    raised_at: datetime
    changed_at: datetime
    snoozed_until: datetime | None
    reason: str
    figures: dict[str, float]


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which alerts. Open ones where neither `state` nor `resolved` says otherwise; None is any."""

    store: str | None = None
    sku: str | None = None
    rule: str | None = None
    state: str | None = None
    severity: str | None = None
    resolved: bool = False

    def condition(self) -> tuple[str, dict[str, Any]]:
        """SQL and its parameters."""
        asked = {
            "store_id": self.store, "sku": self.sku, "rule": self.rule, "state": self.state, "severity": self.severity,
        }  # fmt: skip
        given = {name: value for name, value in asked.items() if value is not None}
        parts = [f"{name} = {{{name}:String}}" for name in given]
        if self.state is None and not self.resolved:
            parts.append("state != 'resolved'")
        return " AND ".join(parts) or "true", given


_COLUMNS = ", ".join(FoundAlert.__dataclass_fields__)


def listed(client: Client, wanted: Wanted, limit: int) -> list[FoundAlert]:
    """At most so many alerts, the most severe first, of these the most expensive; raises Unavailable or Stop."""
    where, parameters = wanted.condition()
    order = (
        "ORDER BY indexOf(['critical', 'warning', 'info'], toString(severity)), lost_revenue_per_day DESC NULLS LAST,"
        f" raised_at, alert_id LIMIT {limit}"
    )
    return _ask(client, f"SELECT {_COLUMNS} FROM alerts WHERE {where} {order}", parameters)  # noqa: S608  # texts of ours


def one(client: Client, prefix: str) -> FoundAlert:
    """The alert whose id begins so, in its latest state; raises Stop where none or several do, or Unavailable."""
    query = (
        f"SELECT {_COLUMNS} FROM alerts"  # noqa: S608  # likewise
        f" WHERE startsWith(alert_id, {{prefix:String}}) ORDER BY alert_id LIMIT {_NAMED + 1}"
    )
    found = _ask(client, query, {"prefix": prefix.strip().lower()}) if prefix.strip() else []
    if not found:
        raise Stop(f"There is no alert {prefix!r}.", "`tillstream alerts list --all` shows ids; a beginning is enough.")
    if len(found) > 1:
        ids = ", ".join(alert.alert_id for alert in found[:_NAMED]) + (", …" if len(found) > _NAMED else "")
        raise Stop(f"Several alerts begin with {prefix!r}: {ids}.", "Give more of the id.")
    return found[0]


def states(client: Client, alert_id: str, after: int = 0) -> list[FoundAlert]:
    """Every state of an alert beyond a sequence number, in their order; raises Unavailable or Stop."""
    query = (
        f"SELECT {_COLUMNS} FROM alert_states"  # noqa: S608  # likewise
        " WHERE alert_id = {alert_id:String} AND sequence > {after:UInt32} ORDER BY sequence"
    )
    return _ask(client, query, {"alert_id": alert_id, "after": after})


def _ask(client: Client, query: str, parameters: dict[str, Any]) -> list[FoundAlert]:
    with answering():
        rows = client.query(query, parameters=parameters).result_rows
    return [FoundAlert(*map(_plain, row)) for row in rows]


def _plain(cell: Any) -> Any:
    """A time in UTC, which some versions of the engine leave to the reader; anything else as it is."""
    return cell.replace(tzinfo=UTC) if isinstance(cell, datetime) and cell.tzinfo is None else cell


def fired(found: Sequence[FoundAlert]) -> FoundAlert:
    """The state by whose figures the alert fired last, of all its states."""
    raised = [state for state in found if state.state == "raised"]
    return (raised or list(found))[-1]
