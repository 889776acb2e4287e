"""One line a message, on standard error: ours from INFO, the libraries' from WARNING. Never a secret."""

from __future__ import annotations

import logging
import sys
from typing import Any

OURS = ("tillstream", "streams", "sinks", "schemas")
# Their errors about a broker that is away repeat what `waiting` and the sinks say in one sentence.
SILENCED = ("aiokafka", "urllib3", "clickhouse_connect")


class _OneLine(logging.Formatter):
    """Prints an exception's type and text after the message, not its traceback."""

    def format(self, record: logging.LogRecord) -> str:
        line = super().format(record)
        return line.replace("\n", " ")

    def formatException(self, ei: Any) -> str:  # noqa: N802  # logging's own name
        return f"({ei[0].__name__}: {ei[1]})"


def _is_ours(record: logging.LogRecord) -> bool:
    """Whether a message is tillstream's: Faust writes its services' comings and goings under our modules' names."""
    return not str(record.msg).startswith("[^")


def setup(role: str, *, level: int = logging.INFO) -> None:
    """Send the log of this process to standard error, each line headed by time, level and role."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_OneLine(f"%(asctime)s %(levelname)-7s {role}: %(message)s", "%H:%M:%S"))
    handler.addFilter(_is_ours)
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.WARNING)
    for name in OURS:
        logging.getLogger(name).setLevel(level)
    for name in SILENCED:
        logging.getLogger(name).setLevel(logging.CRITICAL)
