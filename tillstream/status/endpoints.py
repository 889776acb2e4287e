"""How the webhook endpoints do: what the settings name, with what ClickHouse has of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from clickhouse_connect.driver.client import Client

from tillstream.webhooks import history

_NOTHING_NOTED = {"state": "ok", "since": None, "reason": ""}


def endpoints(client: Client, configured: Sequence[str]) -> list[dict[str, Any]]:
    """Ask, and join."""
    return joined(configured, {one["endpoint"]: one for one in history.endpoints(client)}, history.waiting(client))


def joined(
    configured: Sequence[str], noted: Mapping[str, Mapping[str, Any]], waiting: Mapping[str, int]
) -> list[dict[str, Any]]:
    """Those of the settings, then those that are not there and for which something waits."""
    names = [*configured, *sorted(set(waiting) - set(configured))]
    return [
        {
            "endpoint": name,
            "configured": name in configured,
            **{key: noted.get(name, _NOTHING_NOTED)[key] for key in _NOTHING_NOTED},
            "waiting": waiting.get(name, 0),
        }
        for name in names
    ]
