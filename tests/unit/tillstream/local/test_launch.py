"""How servers are started: addresses that are free and on loopback, settings handed on, nothing left behind."""

from __future__ import annotations

import os
import socket
import sys
from datetime import timedelta

import pytest

from schemas.errors import Stop
from tillstream.local.launch import (
    EmbeddedServer,
    free_port,
    is_free,
    require_free,
    require_loopback,
    settings_environment,
)
from tillstream.settings import Settings, load


@pytest.fixture
def busy():
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        held.listen()
        yield held.getsockname()[1]


def test_a_port_with_a_listener_is_not_free(busy):
    assert not is_free("127.0.0.1", busy)
    assert is_free("127.0.0.1", free_port())


def test_a_busy_port_is_named_with_its_setting(busy):
    with pytest.raises(Stop) as stopped:
        require_free("the embedded broker", "127.0.0.1", busy, "TILLSTREAM_KAFKA_URL", "kafka://127.0.0.1:19092")
    assert stopped.value.sentence == f"127.0.0.1:{busy} is busy, so the embedded broker cannot listen there."
    assert "TILLSTREAM_KAFKA_URL=kafka://127.0.0.1:19092" in stopped.value.hint


@pytest.mark.parametrize("host", ["0.0.0.0", "kafka.example", "10.0.0.5", "::"])
def test_an_embedded_server_beyond_loopback_is_refused(host):
    with pytest.raises(Stop, match="listens on loopback only") as stopped:
        require_loopback("broker", host, "TILLSTREAM_KAFKA_URL")
    assert "--only worker,sink" in stopped.value.hint


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "::1"])
def test_loopback_by_any_of_its_names_is_taken(host):
    require_loopback("broker", host, "TILLSTREAM_KAFKA_URL")


def test_a_child_reads_the_very_settings_of_its_parent(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    for name in [name for name in os.environ if name.startswith("TILLSTREAM_")]:
        monkeypatch.delenv(name)
    given = Settings(
        kafka_url="kafka://a:1,b:2",
        clickhouse_url="http://user:p%40ss@h:1/d",
        window="15m",
        grace="36h",
        retention="-1",
        keep_lines="0",
        embedded_max="512MiB",
        kafka_security="SASL_SSL",
        kafka_sasl_password="secret",
        kafka_ca_file=tmp_path / "ca.pem",
        metrics_token="token",
        topic_prefix="a.",
        webhook_allow_private=True,
        data_dir=tmp_path,
    )
    for name, value in settings_environment(given).items():
        monkeypatch.setenv(name, value)
    assert load() == given
    assert load().retention == timedelta(seconds=-1)


def test_a_server_is_stopped_and_its_output_is_in_its_log(tmp_path):
    code = "import signal; print('serves', flush=True); signal.pause()"
    server = EmbeddedServer([sys.executable, "-S", "-c", code], tmp_path / "logs" / "server.log")
    server.start()
    process = server.process
    server.stop()
    assert process.returncode is not None
    assert server.process is None
    server.stop()  # once more does no harm
