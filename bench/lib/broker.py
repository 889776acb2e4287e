"""A broker that nothing was ever sent to, for each contestant one of its own: Apache Kafka, or the embedded one."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Literal

from lib import fetched
from tests.kafka.server import KafkaServer
from tillstream.local.broker import EmbeddedBroker
from tillstream.local.launch import free_port
from tillstream.settings import Settings

# As its own start script runs it.
_JAVA = (
    "-Xmx1G", "-Xms1G", "-server", "-XX:+UseG1GC", "-XX:MaxGCPauseMillis=20", "-XX:InitiatingHeapOccupancyPercent=35",
    "-XX:+ExplicitGCInvokesConcurrent",
)  # fmt: skip
Kind = Literal["kafka", "embedded"]
NAMES: dict[Kind, str] = {"kafka": "Apache Kafka 4.3.1", "embedded": "the embedded broker"}


def best() -> Kind:
    """Apache Kafka where this machine has Java for it, as anyone would run it; else the embedded broker."""
    return "kafka" if shutil.which("java") and fetched.kafka() else "embedded"


@contextmanager
def fresh_broker(window: timedelta, kind: Kind = "embedded", partitions: int = 8, more: str = "") -> Iterator[Settings]:
    """Settings for a broker that ends with the block; `more` are lines for Apache Kafka's settings."""
    with tempfile.TemporaryDirectory(prefix="tillstream-bench-") as name:
        folder = Path(name)
        server = (
            KafkaServer(free_port(), folder / "kafka", more=more, java=_JAVA)
            if kind == "kafka"
            else EmbeddedBroker("127.0.0.1", free_port(), folder / "broker.log")
        )
        server.start()
        try:
            yield Settings(
                kafka_url=f"kafka://127.0.0.1:{server.port}",
                window=window,
                partitions=partitions,
                metrics_bind=f"127.0.0.1:{free_port()}",
                data_dir=folder / "data",
            )
        finally:
            server.stop(15)
