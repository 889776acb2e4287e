"""`tillstream policy apply|show`: how each SKU is to be replenished."""

from __future__ import annotations

import time
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import typer

from schemas.errors import Stop
from schemas.feed import PoliciesSet, PolicySetting
from schemas.window import MONEY_SCALE, QUANTITY_SCALE
from streams.restock.policy import DEFAULT
from tillstream import aio, console, moments, policies, policy_log, settings
from tillstream.policies import PLACES

_HELP = """
Say how SKUs are to be replenished: lead times, service levels, packs, reorder points, by store, SKU and category.

Examples:

  tillstream policy apply

  tillstream policy apply policies.csv --check

  tillstream policy show
"""
_APPLY = """
Publish policies: those of tillstream.toml, or of a TOML, CSV or Parquet file; - is TOML from standard input. They
take the place of all that were applied before. Of several rules the most specific holds, setting by setting.

They hold from --from on, by each store's own time: name a moment in the past where receipts of the past are replayed.

Examples:

  tillstream policy apply

  tillstream policy apply policies.toml --from 2026-12-01T00:00+01:00

  tillstream policy apply policies.csv --json
"""
_SHOW = """
Show the policies that hold now, and those that are to come, as the log has them.

Examples:

  tillstream policy show

  tillstream policy show --json
"""
_SCALES = {
    **dict.fromkeys(("pack", "minimum_order", "shelf_capacity", "reorder_point", "order_up_to"), QUANTITY_SCALE),
    **dict.fromkeys(("critical_per_day", "warning_per_day"), MONEY_SCALE),
}
_ALL = [name for name in policies.NAMES if name not in PLACES]
_JSON = typer.Option(False, "--json", help="Print as JSON.")


def register(app: typer.Typer) -> None:
    """Add the commands."""
    group = typer.Typer(name="policy", help=_HELP, no_args_is_help=True)
    group.command(name="apply", help=_APPLY)(apply)
    group.command(name="show", help=_SHOW)(show)
    app.add_typer(group)


def apply(
    file: str | None = typer.Argument(None, help="TOML, CSV or Parquet; - for TOML from standard input."),
    since: str | None = typer.Option(None, "--from", help="From when on: 2026-12-01T00:00+01:00; now by default."),
    check: bool = typer.Option(False, "--check", help="Check only, and send nothing."),
    as_json: bool = _JSON,
) -> None:
    """Publish policies."""
    ours = settings.load()
    if file is not None:
        rules = policies.read(file)
    elif ours.policy:
        rules = policies.checked("[[policy]]", ours.policy)
    else:
        raise Stop("tillstream.toml has no [[policy]].", "Write some there, or name a file.")
    found = policy_log.version(rules, _now() if since is None else moments.moment("--from", since))
    partitions = 0 if check else aio.run(policy_log.publish(ours, found, on_wait=console.note))
    if as_json:
        console.emit_json(
            {
                "version": found.version,
                "since": moments.time_of(found.since),
                "rules": len(rules),
                "partitions": partitions,
            }
        )
        return
    what = f"{len(rules):,} rule{'s' * (len(rules) != 1)}"
    if check:
        console.out.print(f"{what}: all valid")
    else:
        console.out.print(
            f"applied {what} as version {found.version}, from {moments.time_of(found.since):%Y-%m-%d %H:%M:%S}Z on"
        )


def show(as_json: bool = _JSON) -> None:
    """Print what holds."""
    ours = settings.load()
    with console.progress() as bar:
        versions = aio.run(policy_log.applied(ours, *console.steps(bar, "reading the log")))
    now, to_come = policy_log.in_force(versions, _now())
    if as_json:
        console.emit_json(
            {
                "in_force": None if now is None else plain(now),
                "to_come": [plain(one) for one in to_come],
                "defaults": settings_of(PolicySetting(**{name: getattr(DEFAULT, name) for name in _ALL})),
            }
        )
        return
    if now is None:
        console.out.print("no policies hold: the defaults do, everywhere")
    else:
        _table(now, "in force")
    for one in to_come:
        _table(one, "to come")


def plain(found: PoliciesSet) -> dict[str, Any]:
    """A version as JSON has it."""
    rules = [{**{name: getattr(rule, name) for name in PLACES}, **settings_of(rule)} for rule in found.rules]
    return {"version": found.version, "since": moments.time_of(found.since), "rules": rules}


def settings_of(rule: PolicySetting) -> dict[str, Any]:
    """What a rule sets: days as numbers, quantities and money as decimals."""
    given = {name: getattr(rule, name) for name in _ALL if getattr(rule, name) is not None}
    return {name: _decimal(value, _SCALES[name]) if name in _SCALES else value for name, value in given.items()}


def _table(found: PoliciesSet, state: str) -> None:
    rows: list[Sequence[Any]] = []
    for rule in found.rules:
        told = ", ".join(f"{name} {value}" for name, value in settings_of(rule).items())
        rows.append([*(getattr(rule, name) or "any" for name in PLACES), told])
    title = f"{state}: version {found.version}, from {moments.time_of(found.since):%Y-%m-%d %H:%M:%S}Z on"
    console.table(title, [*PLACES, "settings"], rows)


def _decimal(value: int, scale: int) -> Decimal:
    """Without needless zeros, and never as a power of ten."""
    found = Decimal(value).scaleb(-scale).normalize()
    return found.quantize(Decimal(1)) if found == found.to_integral_value() else found


def _now() -> int:
    return time.time_ns() // 1000
