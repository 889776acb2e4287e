"""Who may read /metrics, and whose figures are in it."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import urllib.error
import urllib.request

import pytest
from prometheus_client import CollectorRegistry
from prometheus_client.multiprocess import MultiProcessCollector

from schemas.errors import Stop
from tillstream import metrics_server
from tillstream.local.launch import free_port
from tillstream.settings import Settings

SETS = """
import sys
from prometheus_client import Counter, Gauge
Gauge("open_windows", "", multiprocess_mode="livesum").set(int(sys.argv[1]))
Counter("lines", "").inc(int(sys.argv[1]))
"""


@pytest.fixture
def serve(monkeypatch):
    """Gives a function: serve with these settings, and the URL to ask at."""
    monkeypatch.delenv(metrics_server.SHARED_FOLDER, raising=False)
    stops = []

    def start(**changes):
        port = free_port()
        host = changes.pop("host", "127.0.0.1")
        stops.append(metrics_server.serve(Settings(metrics_bind=f"{host}:{port}", **changes)))
        return f"http://127.0.0.1:{port}/metrics"

    yield start
    for stop in stops:
        stop()


def ask(url, **headers):
    with urllib.request.urlopen(urllib.request.Request(url, headers=headers), timeout=10) as answer:
        return answer.read().decode()


def test_loopback_needs_no_token(serve):
    assert "python_info" in ask(serve())


def test_another_address_without_a_token_is_refused_with_both_ways_out(serve):
    with pytest.raises(Stop) as stopped:
        serve(host="0.0.0.0")
    assert "would open /metrics to others without a token" in stopped.value.sentence
    assert "TILLSTREAM_METRICS_TOKEN_FILE" in stopped.value.hint
    assert "TILLSTREAM_METRICS_BIND=127.0.0.1:" in stopped.value.hint


@pytest.mark.parametrize("host", ["127.0.0.1", "0.0.0.0"])
def test_a_token_is_asked_for_wherever_it_is_set(serve, host):
    url = serve(host=host, metrics_token="s3cret")
    assert "python_info" in ask(url, Authorization="Bearer s3cret")
    for wrong in ({}, {"Authorization": "Bearer wrong"}, {"Authorization": "s3cret"}):
        with pytest.raises(urllib.error.HTTPError) as refused:
            ask(url, **wrong)
        assert refused.value.code == 401
        assert refused.value.headers["WWW-Authenticate"] == "Bearer"
        assert b"python_info" not in refused.value.read()


def test_a_busy_address_is_a_sentence_with_the_setting(serve):
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        held.listen()
        bind = f"127.0.0.1:{held.getsockname()[1]}"
        with pytest.raises(Stop) as stopped:
            metrics_server.serve(Settings(metrics_bind=bind))
    assert stopped.value.sentence == f"{bind} cannot serve /metrics: Address already in use."
    assert "TILLSTREAM_METRICS_BIND" in stopped.value.hint


@pytest.mark.parametrize("bind", ["9100", "127.0.0.1:", "127.0.0.1:x", "127.0.0.1:70000"])
def test_what_is_no_address_is_refused(bind):
    with pytest.raises(Stop, match=r"is no address. Write host:port"):
        metrics_server.serve(Settings(metrics_bind=bind))


def test_gauges_of_an_ended_process_no_longer_count_and_its_counters_do(tmp_path):
    pids = []
    for number in (3, 5):
        environment = {**os.environ, metrics_server.SHARED_FOLDER: str(tmp_path)}
        process = subprocess.Popen([sys.executable, "-c", SETS, str(number)], env=environment)
        assert process.wait(30) == 0
        pids.append(process.pid)
    registry = CollectorRegistry()
    MultiProcessCollector(registry, path=str(tmp_path))
    assert registry.get_sample_value("open_windows") == 8
    metrics_server.forget(tmp_path, pids[0])
    assert registry.get_sample_value("open_windows") == 5
    assert registry.get_sample_value("lines_total") == 8
