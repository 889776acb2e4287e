"""Where the demo's servers listen: at the usual addresses, or at free ones where those are busy."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from pydantic import SecretStr

from tillstream import ch, metrics_server
from tillstream.local.launch import free_port, is_free
from tillstream.settings import LOOPBACK, Settings

LOCAL = "127.0.0.1"
METRICS = "TILLSTREAM_METRICS_BIND"


class Address(NamedTuple):
    """Where a part listens. `usual` is where its setting wanted it; `why` is empty where it is there."""

    part: str
    setting: str
    value: str
    host: str
    port: int
    usual: str
    why: str


def choose(settings: Settings) -> tuple[Settings, list[Address]]:
    """The demo's own settings, with servers of its own on loopback; and where they listen."""
    taken: set[int] = set()
    kafka = settings.kafka_servers[0].rpartition(":")
    options = ch.client_options(settings)
    metrics = metrics_server.split_bind(settings.metrics_bind, METRICS)
    database = settings.clickhouse_database
    addresses = [
        _address("broker", "TILLSTREAM_KAFKA_URL", kafka[0], int(kafka[2]), "kafka://{}".format, taken),
        _address(
            "ClickHouse",
            "TILLSTREAM_CLICKHOUSE_URL",
            options["host"],
            options["port"],
            lambda where: f"http://{where}/{database}",
            taken,
        ),
        _address("metrics page", METRICS, *metrics, str, taken),
    ]
    values = {
        "kafka_url": addresses[0].value,
        "clickhouse_url": SecretStr(addresses[1].value),
        "metrics_bind": addresses[2].value,
        "kafka_security": "PLAINTEXT",
    }
    return settings.model_copy(update=values), addresses


def _address(part: str, setting: str, host: str, port: int, value: Callable[[str], str], taken: set[int]) -> Address:
    usual = f"{host}:{port}"
    why = ""
    if host not in LOOPBACK:
        why = "is not this machine's"
    elif port and (port in taken or not is_free(host, port)):
        why = "is busy"
    if why or not port:
        host = LOCAL
        port = free_port(host)
        while port in taken:
            port = free_port(host)
    taken.add(port)
    return Address(part, setting, value(f"{host}:{port}"), host, port, usual, why)


def environment(addresses: list[Address]) -> dict[str, str]:
    """What other commands need to reach these servers: nothing where all are at tillstream's usual addresses."""
    defaults = {name: field.default for name, field in Settings.model_fields.items()}
    wanted = {}
    for address in addresses:
        default = defaults[address.setting.removeprefix("TILLSTREAM_").lower()]
        plain = default.get_secret_value() if isinstance(default, SecretStr) else default
        if address.value != plain and address.setting != METRICS:
            wanted[address.setting] = address.value
    return wanted
