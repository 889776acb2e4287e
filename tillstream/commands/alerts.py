"""`tillstream alerts list|show|explain|acknowledge|snooze|resolve`: what to refill, why, and what was done about it."""

from __future__ import annotations

import getpass
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import typer
from clickhouse_connect.driver.client import Client
from typer.core import TyperGroup

from schemas.alert import Rule, Severity, State
from schemas.errors import Stop
from schemas.feed import ActionKind
from tillstream import aio, ch, console, moments, settings
from tillstream.alerts import act, explain, found, shown
from tillstream.alerts.found import Wanted

_HELP = """
See what has to be refilled, why, and say what is done about it. Without a further word it lists.

An id may be shortened to a beginning that no other alert has.

Examples:

  tillstream alerts

  tillstream alerts --store 12 --severity critical

  tillstream alerts explain 3f9a

  tillstream alerts snooze 3f9a --for 4h
"""
_LIST = """
List open alerts, the most severe first, and of these the most expensive.

Examples:

  tillstream alerts list

  tillstream alerts list --store 12 --rule stock_out

  tillstream alerts list --all --json
"""
_SHOW = """
Show one alert and its states.

Examples:

  tillstream alerts show 3f9a

  tillstream alerts show 3f9a --json
"""
_EXPLAIN = """
Show the arithmetic by which an alert fired, with every figure in it, to be checked by hand. The formulae are those of
docs/restock.md.

Examples:

  tillstream alerts explain 3f9a

  tillstream alerts explain 3f9a --json
"""
_ACKNOWLEDGE = """
Say that somebody has seen an alert. It stays open until the stock recovers, and does not fire again before.

Ends with 1 if the alert has not changed within 10 s; it does as soon as a worker has read so far.

Examples:

  tillstream alerts acknowledge 3f9a

  tillstream alerts acknowledge 3f9a --actor "Night shift"
"""
_SNOOZE = """
Put an alert off: it fires again at that moment, by the store's own time, if the stock has not recovered by then.

Examples:

  tillstream alerts snooze 3f9a --for 4h

  tillstream alerts snooze 3f9a --until 2026-11-27T08:00+01:00
"""
_RESOLVE = """
Close an alert by hand. Where the rule still says so, a new one may be raised at the next crossing.

Examples:

  tillstream alerts resolve 3f9a

  tillstream alerts resolve 3f9a --json
"""
_SHOWN = 100
_ID = typer.Argument(..., metavar="ID", help="The alert's id, or a beginning of it that no other has.")
_RULE = typer.Option(None, "--rule", help="Only of this rule.")
_STATE = typer.Option(None, "--state", help="Only in this state.")
_SEVERITY = typer.Option(None, "--severity", help="Only of this severity.")
_JSON = typer.Option(False, "--json", help="Print as JSON.")
_ACTOR = typer.Option(None, "--actor", help="Who does it, for the log; the system's user by default.")


class _ListByDefault(TyperGroup):
    """Options without a command before them are those of `list`."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Put `list` first where no command is named, unless help is asked for."""
        if not args or (args[0].startswith("-") and args[0] not in self.get_help_option_names(ctx)):
            args = ["list", *args]
        listed: list[str] = super().parse_args(ctx, args)
        return listed


def register(app: typer.Typer) -> None:
    """Add the commands."""
    group = typer.Typer(name="alerts", cls=_ListByDefault, help=_HELP)
    group.command(name="list", help=_LIST)(list_alerts)
    group.command(name="show", help=_SHOW)(show)
    group.command(name="explain", help=_EXPLAIN)(explain_alert)
    group.command(name="acknowledge", help=_ACKNOWLEDGE)(acknowledge)
    group.command(name="snooze", help=_SNOOZE)(snooze)
    group.command(name="resolve", help=_RESOLVE)(resolve)
    app.add_typer(group)


def list_alerts(
    store: str | None = typer.Option(None, "--store", help="Only of this store."),
    sku: str | None = typer.Option(None, "--sku", help="Only of this SKU."),
    rule: Rule | None = _RULE,
    state: State | None = _STATE,
    severity: Severity | None = _SEVERITY,
    everything: bool = typer.Option(False, "--all", help="Resolved ones too."),
    limit: int = typer.Option(_SHOWN, "--limit", min=1, help="At most so many."),
    as_json: bool = _JSON,
) -> None:
    """Print alerts."""
    with _clickhouse() as client:
        alerts = found.listed(client, Wanted(store, sku, rule, state, severity, everything), limit + 1)
    shortened, alerts = len(alerts) > limit, alerts[:limit]
    if as_json:
        console.emit_json([shown.plain(alert) for alert in alerts])
    elif alerts:
        shown.table(alerts)
    else:
        console.out.print("no alerts" if everything or state else "no open alerts")
    if shortened:
        console.note(f"and there are more (--limit {limit * 10})")


def show(prefix: str = _ID, as_json: bool = _JSON) -> None:
    """Print one alert."""
    with _clickhouse() as client:
        alert = found.one(client, prefix)
        states = found.states(client, alert.alert_id)
    if as_json:
        console.emit_json({**shown.plain(alert), "states": [shown.plain(state) for state in states]})
    else:
        shown.show(alert, states)


def explain_alert(prefix: str = _ID, as_json: bool = _JSON) -> None:
    """Print the arithmetic."""
    with _clickhouse() as client:
        alert = found.fired(found.states(client, found.one(client, prefix).alert_id))
    steps = explain.explained(alert)
    if as_json:
        console.emit_json({"alert": shown.plain(alert), "steps": [step._asdict() for step in steps]})
    else:
        shown.explain(alert, steps)


def acknowledge(prefix: str = _ID, actor: str | None = _ACTOR, as_json: bool = _JSON) -> None:
    """Acknowledge an alert."""
    _act(prefix, "acknowledge", actor, None, as_json)


def snooze(
    prefix: str = _ID,
    until: str | None = typer.Option(None, "--until", help="A moment with its offset: 2026-11-27T08:00+01:00."),
    while_: str | None = typer.Option(None, "--for", help="So long from now: 90m, 4h, 2d."),
    actor: str | None = _ACTOR,
    as_json: bool = _JSON,
) -> None:
    """Snooze an alert."""
    now = time.time_ns() // 1000
    if until is not None and while_ is None:
        end = moments.moment("--until", until)
    elif while_ is not None and until is None:
        end = moments.in_a_while("--for", while_, now)
    else:
        raise Stop("A snooze has one end.", "Say --until 2026-11-27T08:00+01:00, or --for 4h.")
    if end <= now:
        raise Stop("The snooze would be over already.", "Give a moment that is still to come.")
    _act(prefix, "snooze", actor, end, as_json)


def resolve(prefix: str = _ID, actor: str | None = _ACTOR, as_json: bool = _JSON) -> None:
    """Resolve an alert."""
    _act(prefix, "resolve", actor, None, as_json)


def _act(prefix: str, kind: ActionKind, actor: str | None, until: int | None, as_json: bool) -> None:
    ours = settings.load()
    with ch.answering(), ch.connect(ours) as client:
        alert = found.one(client, prefix)
        asked = act.action(alert, kind, _user() if actor is None else actor, until)
        if asked is not None:
            aio.run(act.send(ours, alert, asked, on_wait=console.note))
            with console.busy("Kafka has it; waiting until a worker has read it"):
                alert = act.answer(client, alert, asked, act.ANSWER_SECONDS)
    if as_json:
        console.emit_json({**shown.plain(alert), "changed": asked is not None})
        return
    already = "" if asked is not None else " already"
    console.out.print(f"alert {alert.alert_id} is {alert.state}{_until(alert)}{already}", soft_wrap=True)


def _until(alert: found.FoundAlert) -> str:
    return "" if alert.snoozed_until is None else f" until {shown.moment(alert.snoozed_until)}"


def _user() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError):  # a container's user may have no name
        return ""


@contextmanager
def _clickhouse() -> Iterator[Client]:
    with ch.answering(), ch.connect(settings.load()) as client:
        yield client
