"""Campaigns as people write them, checked and made into those of `restock.feed`.

[[campaign]] in TOML with `skus` and `stores`, or rows of CSV or Parquet with a `sku`, and a `store` each: one campaign
promotes all its SKUs in all its stores. Every fault is told, with its field, and the campaign's number or the line.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from schemas import feed
from schemas.feed import Campaign
from tillstream import feed_log, moments, written
from tillstream.written import Fault, identified

_FIELDS = ("campaign_id", "skus", "since", "until", "stores")
_NEEDED = ("campaign_id", "skus", "since", "until")
COLUMNS = ("campaign_id", "sku", "since", "until", "store")
_HINT = "docs/campaigns.md lists the fields of a campaign."


def read(path: str | Path) -> list[Campaign]:
    """The campaigns of a file; `-` is TOML from standard input. Raises Stop."""
    name, tables = written.read(path, "campaign", _of_rows)
    faults: list[Fault] = []
    found: dict[str, Campaign] = {}
    for number, table in enumerate(tables, 1):
        what = f"campaign {number}"
        one = _campaign(what, table, faults)
        if one is None:
            continue
        if one.campaign_id in found:
            faults.append(Fault(what, "campaign_id", f"{one.campaign_id} is in the file twice"))
        if len(feed.encode(one)) > feed_log.LARGEST:
            faults.append(Fault(what, "skus", f"are too many for a message: {len(one.skus):,}; split the campaign"))
        found[one.campaign_id] = one
    written.refuse(name, faults, _HINT)
    return list(found.values())


def _campaign(what: str, table: Any, faults: list[Fault]) -> Campaign | None:
    """None where something is wrong with it."""
    if not isinstance(table, Mapping):
        faults.append(Fault(what, "campaign", "must be a table of fields"))
        return None
    before = len(faults)
    faults += [Fault(what, name, written.is_no_field(name, _FIELDS)) for name in table if name not in _FIELDS]
    faults += [Fault(what, name, "is missing") for name in _NEEDED if name not in table]
    values: dict[str, Any] = {}
    for name in _FIELDS:
        if name in table:
            try:
                values[name] = _READ[name](table[name])
            except ValueError as fault:
                faults.append(Fault(what, name, str(fault)))
    if "since" in values and "until" in values and values["until"] < values["since"]:
        faults.append(Fault(what, "until", "must not be before since; the same moment cancels the campaign"))
    return Campaign(**values) if len(faults) == before else None


def _named(value: Any) -> list[str]:
    """Each once, in one order: the same campaign is the same message."""
    found = {identified(one) for one in (value if isinstance(value, list) else [value])}
    return sorted(found)


def _promoted(value: Any) -> list[str]:
    found = _named(value)
    if not found:
        raise ValueError("must name a SKU")
    return found


def _moment(value: Any) -> int:
    if isinstance(value, datetime):  # TOML has times of its own
        value = value.isoformat()
    if not isinstance(value, str):
        raise ValueError("must be a time with its offset, such as 2026-11-27T08:00+01:00")  # noqa: TRY004  # as others
    return moments.read(value)


_READ: dict[str, Callable[[Any], Any]] = {
    "campaign_id": identified, "skus": _promoted, "since": _moment, "until": _moment, "stores": _named,
}  # fmt: skip


def _of_rows(path: str | Path) -> Iterable[dict[str, Any]]:
    """Rows of one campaign together; raises Stop where they contradict each other."""
    faults: list[Fault] = []
    found: dict[str, dict[str, Any]] = {}
    pairs: dict[str, set[tuple[str, str]]] = {}
    for line, row in written.rows(path, COLUMNS, COLUMNS[:4]):
        what = f"line {line}"
        faults += [Fault(what, name, written.is_no_field(name, COLUMNS)) for name in row if name not in COLUMNS]
        missing = [name for name in COLUMNS[:4] if name not in row]
        faults += [Fault(what, name, "is missing") for name in missing]
        if missing:
            continue
        campaign = found.setdefault(row["campaign_id"], {name: row[name] for name in ("campaign_id", "since", "until")})
        faults += [
            Fault(what, name, f"is not what the first row of campaign {row['campaign_id']} says")
            for name in ("since", "until")
            if campaign[name] != row[name]
        ]
        pairs.setdefault(row["campaign_id"], set()).add((row["sku"], row.get("store", "")))
    for name, campaign in found.items():
        skus, stores = ({pair[at] for pair in pairs[name]} for at in (0, 1))
        if len(pairs[name]) != len(skus) * len(stores) or ("" in stores and len(stores) > 1):
            reason = "each of its SKUs must have the same stores; give the others a campaign of their own"
            faults.append(Fault(f"campaign {name}", "store", reason))
        campaign |= {"skus": sorted(skus), "stores": sorted(stores - {""})}
    written.refuse(str(path), faults, _HINT)
    return found.values()


def news(first: Iterable[Campaign], last: Iterable[Campaign], campaigns: Iterable[Campaign]) -> list[Campaign]:
    """Of these campaigns those that the feed's first partition, or its last one, does not know so."""
    known = by_id(first), by_id(last)
    return [one for one in campaigns if any(part.get(one.campaign_id) != one for part in known)]


def by_id(told: Iterable[Campaign]) -> dict[str, Campaign]:
    """Of messages in the order of the log, what holds of each campaign: the last."""
    return {one.campaign_id: one for one in told}


def state(campaign: Campaign, now: int) -> str:
    """`running`, `to come`, `over` or `cancelled`, at a moment (microseconds)."""
    if campaign.until <= campaign.since:
        return "cancelled"
    if now < campaign.since:
        return "to come"
    return "running" if now < campaign.until else "over"
