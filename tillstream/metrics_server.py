"""GET /metrics at TILLSTREAM_METRICS_BIND: of this process, or of all roles under `up`.

Under `up` the roles write their figures into the folder that PROMETHEUS_MULTIPROC_DIR names and bind nothing;
`up` reads that folder at each request. The figures name stores, partitions and counts, never a receipt. The default
is loopback; whoever sets another address must set a token, which is asked for as `Authorization: Bearer …`.
"""

from __future__ import annotations

import hmac
import logging
import os
import socket
import threading
from collections.abc import Callable, Iterable
from pathlib import Path
from socketserver import ThreadingMixIn
from typing import TYPE_CHECKING, Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

from prometheus_client import REGISTRY, CollectorRegistry, make_wsgi_app
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead

from schemas.errors import Stop
from tillstream.settings import LOOPBACK, Settings

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

log = logging.getLogger(__name__)

SHARED_FOLDER = "PROMETHEUS_MULTIPROC_DIR"
SETTING = "TILLSTREAM_METRICS_BIND"


def split_bind(bind: str, setting: str) -> tuple[str, int]:
    """Host and port of `host:port`; Stop, naming the setting, where it is none."""
    host, colon, port = bind.rpartition(":")
    if not colon or not port.isdecimal() or int(port) > 65535:  # noqa: PLR2004  # the largest port there is
        raise Stop(f"{setting}={bind} is no address.", f"Write host:port, for example {setting}=127.0.0.1:9100.")
    return host.strip("[]") or "127.0.0.1", int(port)


def serve(settings: Settings) -> Callable[[], None]:
    """Serve this process's figures, unless `up` serves them; gives what stops it. Stop where it cannot or may not."""
    if os.environ.get(SHARED_FOLDER):
        return lambda: None
    return _serve(settings, REGISTRY)


def serve_shared(settings: Settings, folder: Path) -> Callable[[], None]:
    """Serve the figures of every role that writes into `folder`."""
    registry = CollectorRegistry()
    MultiProcessCollector(registry, path=str(folder))  # type: ignore[no-untyped-call]
    return _serve(settings, registry)


def forget(folder: Path, pid: int) -> None:
    """Drop the gauges of a process that has ended: its open windows are no longer open there. Counters stay."""
    mark_process_dead(pid, str(folder))  # type: ignore[no-untyped-call]


class _Server(ThreadingMixIn, WSGIServer):
    daemon_threads = True


class _Server6(_Server):
    address_family = socket.AF_INET6


class _Silent(WSGIRequestHandler):
    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  # named so in the standard library
        """Say nothing: a scrape every few seconds is no news."""


def _serve(settings: Settings, registry: CollectorRegistry) -> Callable[[], None]:
    host, port = split_bind(settings.metrics_bind, SETTING)
    token = settings.metrics_token.get_secret_value()
    if host not in LOOPBACK and not token:
        raise Stop(
            f"{SETTING}={settings.metrics_bind} would open /metrics to others without a token.",
            f"Set TILLSTREAM_METRICS_TOKEN (or TILLSTREAM_METRICS_TOKEN_FILE), or use {SETTING}=127.0.0.1:{port}.",
        )
    app = make_wsgi_app(registry)
    kind = _Server6 if ":" in host else _Server
    try:
        server = make_server(host, port, _guarded(app, token) if token else app, kind, _Silent)
    except OSError as fault:
        raise Stop(
            f"{settings.metrics_bind} cannot serve /metrics: {fault.strerror or fault}.",
            f"Choose another address with {SETTING}, for example 127.0.0.1:9101.",
        ) from None
    thread = threading.Thread(target=server.serve_forever, name="metrics", daemon=True)
    thread.start()
    log.info("metrics at http://%s:%d/metrics", host, server.server_port)

    def stop() -> None:
        server.shutdown()
        server.server_close()
        thread.join()

    return stop


def _guarded(app: WSGIApplication, token: str) -> WSGIApplication:
    """Answers 401 unless the request bears the token."""
    wanted = f"Bearer {token}".encode()

    def guard(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        given = str(environ.get("HTTP_AUTHORIZATION", "")).encode("latin-1", "replace")
        if hmac.compare_digest(given, wanted):
            return app(environ, start_response)
        start_response("401 Unauthorized", [("WWW-Authenticate", "Bearer"), ("Content-Type", "text/plain")])
        return [b"Send Authorization: Bearer and the value of TILLSTREAM_METRICS_TOKEN.\n"]

    return guard
