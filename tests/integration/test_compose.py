"""What docker-compose.yml starts, without an engine: its commands and its environment, on the embedded servers.

The images, the network and the health checks of the servers are not run here.
"""

from __future__ import annotations

import asyncio
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from tests.conftest import REPOSITORY
from tests.integration.harness import publish, ready, settled
from tests.integration.programs import program
from tests.integration.test_exact import receipts
from tillstream.local.launch import free_port
from tillstream.settings import PREFIX

pytestmark = pytest.mark.integration
SERVICES = yaml.safe_load((Path(__file__).parents[2] / "docker-compose.yml").read_text("utf-8"))["services"]
TOKEN = "a token of the one who scrapes"


def interpolated(text, values):
    """`${NAME:-default}` as Compose fills it in."""
    return re.sub(r"\$\{(\w+):-([^}]*)\}", lambda found: values.get(found[1]) or found[2], text)


def environment_of(service, settings, metrics):
    """A service's variables; only what names another machine is replaced, and what is not set there is taken away."""
    base = {name: value for name, value in os.environ.items() if not name.startswith(PREFIX)}
    given = {name: interpolated(str(value), metrics) for name, value in SERVICES[service]["environment"].items()}
    given["TILLSTREAM_KAFKA_URL"] = given["TILLSTREAM_KAFKA_URL"].replace("kafka:19092", settings.kafka_servers[0])
    server = settings.clickhouse_url.get_secret_value().removeprefix("http://").rpartition("/")[0]
    url = given["TILLSTREAM_CLICKHOUSE_URL"].replace("clickhouse:8123", server)
    given["TILLSTREAM_CLICKHOUSE_URL"] = url.replace("/tillstream", f"/{settings.clickhouse_database}")
    # Other tests share these servers, so this one's topics have a prefix; the image sets the data folder.
    ours = {"TILLSTREAM_TOPIC_PREFIX": settings.topic_prefix, "TILLSTREAM_DATA_DIR": str(settings.data_dir)}
    return {**base, **given, **ours, "PYTHONPATH": str(REPOSITORY)}


def healthy(service, environment, port):
    _, _, *script = SERVICES[service]["healthcheck"]["test"]
    script = [part.replace(":9100/", f":{port}/") for part in script]
    return subprocess.run([sys.executable, *script], env=environment, capture_output=True, check=False).returncode == 0


def test_the_services_commands_and_variables_make_a_system_that_counts(settings, tmp_path):
    ports = {"worker": free_port(), "sink": free_port()}
    # As published inside the containers: loopback for the one, with a token and open for the other.
    metrics = {
        "worker": {"METRICS_BIND": f"127.0.0.1:{ports['worker']}"},
        "sink": {"METRICS_BIND": f"0.0.0.0:{ports['sink']}", "METRICS_TOKEN": TOKEN},
    }
    settings = settings.model_copy(update={"partitions": 8})
    sent = receipts(200, seed=12)

    migrate = [sys.executable, "-m", "tillstream", *SERVICES["migrate"]["command"]]
    done = subprocess.run(
        migrate, env=environment_of("migrate", settings, {}), capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr

    async def run():
        await ready(settings)
        await publish(settings, sent)
        await settled(settings, len(sent))

    variables = {name: environment_of(name, settings, metrics[name]) for name in ports}
    with (
        program(SERVICES["worker"]["command"], variables["worker"], cwd=tmp_path) as worker,
        program(SERVICES["sink"]["command"], variables["sink"], cwd=tmp_path) as sink,
    ):
        asyncio.run(run())
        for name, port in ports.items():
            assert healthy(name, variables[name], port)
        assert not healthy("sink", variables["worker"], ports["sink"]), "without the token it is refused"
        grace = int(SERVICES["worker"]["stop_grace_period"].removesuffix("s"))
        assert worker.ends(signal.SIGTERM, within=grace) == 0
        assert sink.ends(signal.SIGTERM, within=grace) == 0
        assert not healthy("worker", variables["worker"], ports["worker"])
