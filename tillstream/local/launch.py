"""Start the embedded servers as children that never outlive this process, and say by name what is busy."""

from __future__ import annotations

import ctypes
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

from pydantic import SecretStr

from schemas.errors import Stop
from tillstream.settings import LOOPBACK, PREFIX, Settings

_PR_SET_PDEATHSIG = 1


def die_with_parent() -> Callable[[], None] | None:
    """What a child runs before it becomes its program: the kernel ends it when its parent dies (Linux only).

    Without it a SIGKILL of `tillstream up` would leave a broker and a ClickHouse behind that hold their ports.
    """
    if not sys.platform.startswith("linux"):
        return None
    libc = ctypes.CDLL(None, use_errno=True)
    parent = os.getpid()

    def before_exec() -> None:
        libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:  # it died before the call above
            os._exit(1)

    return before_exec


def free_port(host: str = "127.0.0.1") -> int:
    """A port that nothing listens on at this moment."""
    with socket.socket() as probe:
        probe.bind((host, 0))
        port: int = probe.getsockname()[1]
        return port


def is_free(host: str, port: int) -> bool:
    """Whether a server could listen there now."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return False
        return True


def require_free(what: str, host: str, port: int, setting: str, example: str) -> None:
    """Stop, naming the setting, where another program listens already."""
    if not is_free(host, port):
        raise Stop(
            f"{host}:{port} is busy, so {what} cannot listen there.",
            f"Stop what listens there, or choose another port with {setting}={example}.",
        )


def require_loopback(what: str, host: str, setting: str) -> None:
    """Stop where an embedded server would be open to others: neither of them knows users."""
    if host not in LOOPBACK:
        raise Stop(
            f"{setting} names {host}, but the embedded {what} listens on loopback only.",
            f"Use 127.0.0.1 in {setting}, or use the {what} there by `tillstream up --only worker,sink`.",
        )


def settings_environment(settings: Settings) -> dict[str, str]:
    """These settings as environment variables, for a child; endpoints and policies stay in the TOML file.

    A child must not read another file of settings than its parent did; the file itself is named by
    TILLSTREAM_CONFIG, or lies in the working directory, which children share.
    """
    names = (name for name in Settings.model_fields if name not in ("policy", "webhooks"))
    return {
        PREFIX + name.upper(): _text(getattr(settings, name)) for name in names if getattr(settings, name) is not None
    }


def _text(value: object) -> str:
    if isinstance(value, SecretStr):
        return value.get_secret_value()
    if hasattr(value, "total_seconds"):
        return f"{value.total_seconds():f}s"
    return str(value)


def clickhouse_argv(host: str, port: int, folder: Path) -> list[str]:
    """Command line of the embedded ClickHouse."""
    return [sys.executable, "-m", "tillstream.local.clickhouse", "--bind", f"{host}:{port}", "--path", str(folder)]


class EmbeddedServer:
    """A server as a child process whose output goes to a file. For tests and tools; `up` has its supervisor."""

    def __init__(self, argv: list[str], log: Path, environment: Mapping[str, str] | None = None) -> None:
        self.argv = argv
        self.log = log
        self.environment = environment
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it; whether it serves is asked by its protocol, with `tillstream.waiting`."""
        self.log.parent.mkdir(parents=True, exist_ok=True)
        with self.log.open("ab") as out:
            self.process = subprocess.Popen(  # noqa: S603  # our own programs
                self.argv,
                stdout=out,
                stderr=subprocess.STDOUT,
                stdin=subprocess.DEVNULL,
                env=self.environment,
                preexec_fn=die_with_parent(),  # noqa: PLW1509  # two system calls, no lock taken
                start_new_session=True,
            )

    def stop(self, patience: float = 5.0) -> None:
        """SIGTERM, then SIGKILL after `patience` seconds."""
        if self.process is None:
            return
        self.process.terminate()
        try:
            self.process.wait(patience)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process = None


class EmbeddedClickHouse(EmbeddedServer):
    """ClickHouse's HTTP interface over chDB; `folder` holds the data, one process a folder."""

    def __init__(self, host: str, port: int, folder: Path, log: Path) -> None:
        super().__init__(clickhouse_argv(host, port, folder), log)
        self.host = host
        self.port = port
        self.folder = folder
