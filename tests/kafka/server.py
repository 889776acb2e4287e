"""Apache Kafka itself for tests: one combined node from Maven Central's jars, up in about four seconds, or several."""

from __future__ import annotations

import base64
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path

from tillstream.local.launch import EmbeddedServer, free_port

REPOSITORY = Path(__file__).resolve().parents[2]
# Outside of version control; `make test-kafka` fills it.
LIBS = Path(os.environ.get("TEST_KAFKA_LIBS", REPOSITORY / ".kafka" / "libs"))
START_SECONDS = 60.0

_PROPERTIES = """
process.roles=broker,controller
node.id={node}
controller.quorum.voters={voters}
listeners=PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller}
advertised.listeners=PLAINTEXT://127.0.0.1:{advertised}
controller.listener.names=CONTROLLER
log.dirs={folder}/log
default.replication.factor={copies}
min.insync.replicas={synced}
offsets.topic.replication.factor={copies}
offsets.topic.num.partitions=4
transaction.state.log.replication.factor={copies}
transaction.state.log.min.isr={synced}
share.coordinator.state.topic.replication.factor={copies}
share.coordinator.state.topic.min.isr={synced}
group.initial.rebalance.delay.ms=0
group.min.session.timeout.ms=1000
auto.create.topics.enable=false
num.partitions=1
"""


class KafkaServer(EmbeddedServer):
    """A broker at 127.0.0.1:`port` whose log lives in `folder` and outlives its process.

    `advertised` is the port that clients are told, where something stands between them and the broker. `more` are
    lines for its file of settings. `controllers` are the ports of all nodes' controllers, where it is the node
    number `node` (from 1) of several; they share `cluster`.
    """

    def __init__(
        self,
        port: int,
        folder: Path,
        advertised: int | None = None,
        *,
        more: str = "",
        node: int = 1,
        controllers: Sequence[int] = (),
        cluster: str = "",
        java: Sequence[str] = ("-Xmx512m",),
    ) -> None:
        self.port = port
        self.folder = folder
        # 16 bytes in base64; one that begins with a dash would be taken for an option.
        self.cluster = cluster or "k" + base64.urlsafe_b64encode(os.urandom(16)).decode().rstrip("=")[1:]
        self._properties = folder / "server.properties"
        folder.mkdir(parents=True, exist_ok=True)
        ports = controllers or [free_port()]
        text = _PROPERTIES.format(
            node=node, port=port, controller=ports[node - 1], advertised=advertised or port, folder=folder,
            voters=",".join(f"{at}@127.0.0.1:{each}" for at, each in enumerate(ports, start=1)),
            copies=len(ports), synced=max(1, len(ports) - 1),
        )  # fmt: skip
        self._properties.write_text(text + more, "utf-8")
        super().__init__([*self._java("kafka.Kafka", *java), str(self._properties)], folder / "kafka.log")

    @staticmethod
    def _java(main: str, *options: str) -> list[str]:
        java = shutil.which("java")
        if java is None or not any(LIBS.glob("kafka_2.13-*.jar")):
            raise RuntimeError("Apache Kafka is not here: `make test-kafka` fetches it; it needs Java 17 and Maven.")
        return [java, *options, "-cp", f"{LIBS}/*", main]

    def start(self) -> None:
        """Format the folder where it is new, start, and wait until the port answers."""
        self.launch()
        self.until_open()

    def launch(self) -> None:
        """Format the folder where it is new, and start."""
        if not (self.folder / "log").exists():
            subprocess.run(
                [*self._java("kafka.tools.StorageTool", "-Xmx256m"), "format", "-t", self.cluster, "-c",
                 str(self._properties)],
                check=True, capture_output=True,
            )  # fmt: skip
        super().start()

    def until_open(self) -> None:
        """Wait until the port answers."""
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


def cluster_of(many: int, folder: Path) -> list[KafkaServer]:
    """Nodes that keep a copy of everything each, started; what is written is acknowledged by all but one of them."""
    controllers = [free_port() for _ in range(many)]
    nodes: list[KafkaServer] = []
    for node in range(1, many + 1):
        identity = nodes[0].cluster if nodes else ""
        nodes.append(
            KafkaServer(free_port(), folder / f"node{node}", node=node, controllers=controllers, cluster=identity)
        )
    for node in nodes:  # none answers before most are there
        node.launch()
    for node in nodes:
        node.until_open()
    return nodes
