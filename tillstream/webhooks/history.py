"""What became of webhooks, as ClickHouse has it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from clickhouse_connect.driver.client import Client

from tillstream.ch import answering

COLUMNS = (
    "webhook_id", "endpoint", "type", "state", "attempt", "status", "reason", "at", "next_at", "alert_id", "sequence",
    "store_id", "sku", "rule", "severity",
)  # fmt: skip
ENDPOINT_COLUMNS = ("endpoint", "state", "since", "reason")


def deliveries(client: Client, endpoint: str | None, state: str | None, limit: int) -> list[dict[str, Any]]:
    """The newest deliveries, newest first: of one endpoint or all, in one state or any."""
    parts, parameters = ["true"], {}
    if endpoint is not None:
        parts.append("endpoint = {endpoint:String}")
        parameters["endpoint"] = endpoint
    if state is not None:
        parts.append("state = {state:String}")
        parameters["state"] = state
    where = " AND ".join(parts)
    query = f"SELECT {', '.join(COLUMNS)} FROM webhook_deliveries FINAL WHERE {where}"  # noqa: S608  # texts of ours
    return _rows(client, f"{query} ORDER BY at DESC, webhook_id LIMIT {limit}", COLUMNS, parameters)


def endpoints(client: Client) -> list[dict[str, Any]]:
    """How the endpoints do, of which something was ever noted."""
    query = f"SELECT {', '.join(ENDPOINT_COLUMNS)} FROM webhook_endpoints FINAL ORDER BY endpoint"  # noqa: S608  # likewise
    return _rows(client, query, ENDPOINT_COLUMNS, {})


def waiting(client: Client) -> dict[str, int]:
    """How many deliveries wait to be sent, by endpoint; none where none does."""
    query = (
        "SELECT endpoint, count() FROM webhook_deliveries FINAL WHERE state IN ('pending', 'requested')"
        " GROUP BY endpoint"
    )
    with answering():
        return {str(endpoint): int(many) for endpoint, many in client.query(query).result_rows}


def _rows(client: Client, query: str, names: tuple[str, ...], parameters: dict[str, Any]) -> list[dict[str, Any]]:
    with answering():
        found = client.query(query, parameters=parameters).result_rows
    return [dict(zip(names, map(_utc, row), strict=True)) for row in found]


def _utc(value: Any) -> Any:
    return value.replace(tzinfo=UTC) if isinstance(value, datetime) and value.tzinfo is None else value
