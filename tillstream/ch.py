"""How to reach ClickHouse: from the settings to a clickhouse-connect client."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import unquote, urlsplit

import clickhouse_connect
from clickhouse_connect.driver.client import Client
from clickhouse_connect.driver.exceptions import DatabaseError, OperationalError

from schemas.errors import Stop, Unavailable
from tillstream.settings import Settings

# Defaults of these changed between versions; exactness relies on them, so they are pinned on every query.
PINNED = {"async_insert": 0, "deduplicate_insert": "disable"}


def client_options(settings: Settings) -> dict[str, Any]:
    """Keyword arguments for clickhouse_connect.get_client."""
    url = urlsplit(settings.clickhouse_url.get_secret_value())
    return {
        "host": url.hostname or "127.0.0.1",
        "port": url.port or (8443 if url.scheme == "https" else 8123),
        "secure": url.scheme == "https",
        "username": unquote(url.username) if url.username else "default",
        "password": unquote(url.password) if url.password else "",
        "database": settings.clickhouse_database,
    }


def connect(
    settings: Settings, *, database: str | None = None, patience: float | None = None, **query_settings: Any
) -> Client:
    """Open a client; raises Unavailable when ClickHouse does not answer. `database=""` is the server's default.

    `patience` is how many seconds a connection or an answer may take; by default 10 and 300.
    """
    options = client_options(settings)
    if patience is not None:
        options |= {"connect_timeout": int(patience), "send_receive_timeout": int(patience)}
    if database is not None:
        options["database"] = database
    try:
        return clickhouse_connect.get_client(
            **options, settings={**PINNED, **query_settings}, autogenerate_session_id=False
        )
    except OperationalError as fault:
        where = f"{options['host']}:{options['port']}"
        raise Unavailable("ClickHouse", f"{where}: {_reason(fault)}") from None


@contextmanager
def answering() -> Iterator[None]:
    """Turn the client's faults into ours: Unavailable where ClickHouse does not answer, Stop where it refuses."""
    try:
        yield
    except OperationalError as fault:
        raise Unavailable("ClickHouse", _reason(fault)) from None
    except DatabaseError as fault:
        raise Stop(f"ClickHouse refuses: {first_line(fault)}", "Run `tillstream migrate`.") from None


def _reason(fault: OperationalError) -> str:
    """The system's own words where there are some: the client wraps them in pools, retries and a new id each time."""
    text = str(fault)
    system = re.search(r"\[Errno -?\d+\] ([^\[\]()'\"]+)", text)
    return system[1].strip().lower() if system else first_line(fault)


def first_line(fault: BaseException) -> str:
    """A fault in one line of bearable length."""
    return (str(fault).splitlines() or [type(fault).__name__])[0][:200]
