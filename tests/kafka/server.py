"""Apache Kafka itself for tests: one combined node from Maven Central's jars, started in about four seconds."""

from __future__ import annotations

import base64
import os
import shutil
import socket
import subprocess
import time
from pathlib import Path

from tillstream.local.launch import EmbeddedServer, free_port

REPOSITORY = Path(__file__).resolve().parents[2]
# Outside of version control; `make test-kafka` fills it.
LIBS = Path(os.environ.get("TEST_KAFKA_LIBS", REPOSITORY / ".kafka" / "libs"))
START_SECONDS = 60.0

_PROPERTIES = """
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:{controller}
listeners=PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller}
advertised.listeners=PLAINTEXT://127.0.0.1:{advertised}
controller.listener.names=CONTROLLER
log.dirs={folder}/log
offsets.topic.replication.factor=1
offsets.topic.num.partitions=4
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
group.initial.rebalance.delay.ms=0
group.min.session.timeout.ms=1000
auto.create.topics.enable=false
num.partitions=1
"""


class KafkaServer(EmbeddedServer):
    """A broker at 127.0.0.1:`port` whose log lives in `folder` and outlives its process.

    `advertised` is the port that clients are told, where something stands between them and the broker.
    """

    def __init__(self, port: int, folder: Path, advertised: int | None = None) -> None:
        self.port = port
        self.folder = folder
        self._properties = folder / "server.properties"
        folder.mkdir(parents=True, exist_ok=True)
        text = _PROPERTIES.format(port=port, controller=free_port(), advertised=advertised or port, folder=folder)
        self._properties.write_text(text, "utf-8")
        super().__init__([*self._java("kafka.Kafka", heap="512m"), str(self._properties)], folder / "kafka.log")

    @staticmethod
    def _java(main: str, heap: str) -> list[str]:
        java = shutil.which("java")
        if java is None or not any(LIBS.glob("kafka_2.13-*.jar")):
            raise RuntimeError("Apache Kafka is not here: `make test-kafka` fetches it; it needs Java 17 and Maven.")
        return [java, f"-Xmx{heap}", "-cp", f"{LIBS}/*", main]

    def start(self) -> None:
        """Format the folder where it is new, start, and wait until the port answers."""
        if not (self.folder / "log").exists():
            identity = base64.urlsafe_b64encode(os.urandom(16)).decode().rstrip("=")
            subprocess.run(
                [*self._java("kafka.tools.StorageTool", heap="256m"), "format", "-t", identity, "-c",
                 str(self._properties)],
                check=True, capture_output=True,
            )  # fmt: skip
        super().start()
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            assert self.process is not None
            if self.process.poll() is not None:
                break
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", self.port)) == 0:
                    return
            time.sleep(0.05)  # a port has no way to tell
        raise RuntimeError(f"Kafka did not start: {self.log.read_text('utf-8')[-2000:]}")
