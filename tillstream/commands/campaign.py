"""`tillstream campaign apply|list`: what is promoted, when and where."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

import typer

from schemas.feed import Campaign
from tillstream import aio, campaigns, console, feed_log, moments, settings

_HELP = """
Say what is promoted, when and where: what is sold meanwhile is learned apart, and leaves usual demand alone.

Examples:

  tillstream campaign apply campaigns.csv

  tillstream campaign list
"""
_APPLY = """
Publish campaigns of a TOML, CSV or Parquet file; - is TOML from standard input. A campaign takes the place of the one
of its id; one whose until is its since is cancelled. Others stay as they are. Applying the same again changes nothing.

They hold from since until until, by each store's own time.

Examples:

  tillstream campaign apply campaigns.toml

  tillstream campaign apply campaigns.csv --check

  tillstream campaign apply campaigns.csv --json
"""
_LIST = """
List the campaigns that run and those that are to come, as the log has them.

Examples:

  tillstream campaign list

  tillstream campaign list --all --json
"""
_NAMED = 5
_JSON = typer.Option(False, "--json", help="Print as JSON.")


def register(app: typer.Typer) -> None:
    """Add the commands."""
    group = typer.Typer(name="campaign", help=_HELP, no_args_is_help=True)
    group.command(name="apply", help=_APPLY)(apply)
    group.command(name="list", help=_LIST)(list_)
    app.add_typer(group)


def apply(
    file: str = typer.Argument(..., help="TOML, CSV or Parquet; - for TOML from standard input."),
    check: bool = typer.Option(False, "--check", help="Check only, and send nothing."),
    as_json: bool = _JSON,
) -> None:
    """Publish campaigns."""
    ours = settings.load()
    found = campaigns.read(file)
    partitions, different = 0, found
    if not check:
        with console.progress() as bar:
            read = feed_log.read_first_and_last(ours, Campaign, *console.steps(bar, "reading the feed"))
            different = campaigns.news(*aio.run(read), found)
            if different:
                sent = feed_log.publish(ours, different, console.note, *console.steps(bar, "telling restock"))
                partitions = aio.run(sent)
    if as_json:
        console.emit_json({"campaigns": len(found), "different": len(different), "partitions": partitions})
        return
    what = f"{len(found):,} campaign{'s' * (len(found) != 1)}"
    if check:
        console.out.print(f"{what}: all valid")
    else:
        console.out.print(f"applied {what}; {len(different):,} of them new or changed")


def list_(
    every: bool = typer.Option(False, "--all", help="Those that are over or cancelled, too."),
    as_json: bool = _JSON,
) -> None:
    """Print what holds."""
    ours = settings.load()
    with console.progress() as bar:
        told = aio.run(feed_log.read(ours, Campaign, *console.steps(bar, "reading the feed")))
    now = time.time_ns() // 1000
    found = [(campaigns.state(one, now), one) for one in campaigns.by_id(told).values()]
    found.sort(key=lambda each: (each[1].since, each[1].campaign_id))
    shown = [each for each in found if every or each[0] in ("running", "to come")]
    if as_json:
        console.emit_json([_plain(state, one) for state, one in shown])
    elif not shown:
        console.out.print("no campaign runs, and none is to come")
    else:
        _table(shown)


def _plain(state: str, campaign: Campaign) -> dict[str, Any]:
    return {
        "campaign_id": campaign.campaign_id,
        "state": state,
        "since": moments.time_of(campaign.since),
        "until": moments.time_of(campaign.until),
        "skus": campaign.skus,
        "stores": campaign.stores,
    }


def _table(shown: Sequence[tuple[str, Campaign]]) -> None:
    rows = [
        [
            one.campaign_id,
            state,
            *(f"{moments.time_of(at):%Y-%m-%d %H:%M}Z" for at in (one.since, one.until)),
            _some(one.skus),
            _some(one.stores) if one.stores else "all",
        ]
        for state, one in shown
    ]
    console.table("campaigns", ["campaign", "state", "since", "until", "SKUs", "stores"], rows)


def _some(names: Sequence[str]) -> str:
    more = f", and {len(names) - _NAMED:,} more" if len(names) > _NAMED else ""
    return ", ".join(names[:_NAMED]) + more
