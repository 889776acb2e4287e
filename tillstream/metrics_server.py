"""GET /metrics at TILLSTREAM_METRICS_BIND: of this process, or of all roles under `up`.

Under `up` the roles write their figures into the folder that PROMETHEUS_MULTIPROC_DIR names and bind nothing;
`up` reads that folder at each request. The figures name stores, partitions and counts, never a receipt, and there
is no token: the default is loopback, and whoever sets another address opens them to those who reach it.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable
from pathlib import Path

from prometheus_client import REGISTRY, CollectorRegistry, start_http_server
from prometheus_client.multiprocess import MultiProcessCollector

from schemas.errors import Stop
from tillstream.settings import Settings

log = logging.getLogger(__name__)

SHARED_FOLDER = "PROMETHEUS_MULTIPROC_DIR"


def split_bind(bind: str, setting: str) -> tuple[str, int]:
    """Host and port of `host:port`; Stop, naming the setting, where it is none."""
    host, colon, port = bind.rpartition(":")
    if not colon or not port.isdecimal() or int(port) > 65535:  # noqa: PLR2004  # the largest port there is
        raise Stop(f"{setting}={bind} is no address.", f"Write host:port, for example {setting}=127.0.0.1:9100.")
    return host.strip("[]") or "127.0.0.1", int(port)


def serve(settings: Settings) -> Callable[[], None]:
    """Serve this process's figures, unless `up` serves them; gives what stops it. Stop where the address is busy."""
    if os.environ.get(SHARED_FOLDER):
        return lambda: None
    return _serve(settings, REGISTRY)


def serve_shared(settings: Settings, folder: Path) -> Callable[[], None]:
    """Serve the figures of every role that writes into `folder`."""
    registry = CollectorRegistry()
    MultiProcessCollector(registry, path=str(folder))  # type: ignore[no-untyped-call]
    return _serve(settings, registry)


def _serve(settings: Settings, registry: CollectorRegistry) -> Callable[[], None]:
    host, port = split_bind(settings.metrics_bind, "TILLSTREAM_METRICS_BIND")
    try:
        server, thread = start_http_server(port, host, registry)
    except OSError as fault:
        raise Stop(
            f"{settings.metrics_bind} cannot serve /metrics: {fault.strerror or fault}.",
            "Choose another address with TILLSTREAM_METRICS_BIND, for example 127.0.0.1:9101.",
        ) from None
    log.info("metrics at http://%s:%d/metrics", host, server.server_port)

    def stop() -> None:
        server.shutdown()
        server.server_close()
        thread.join()

    return stop
