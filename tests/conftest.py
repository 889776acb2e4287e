"""Shared fixtures: the embedded broker and ClickHouse, one pair per xdist worker, and settings that use them.

`broker` gives "127.0.0.1:port", `clickhouse` gives "http://127.0.0.1:port"; `settings` has a topic prefix and a
database of its own, so that tests never meet; `migrated` are such settings after `tillstream migrate`;
`environment` turns settings into what a subprocess of `tillstream` needs; `command` runs a command in this process.
"""

from __future__ import annotations

import asyncio
import logging
import os
import uuid
from pathlib import Path
from typing import NamedTuple

import pytest

from tillstream.local.broker import EmbeddedBroker
from tillstream.local.launch import EmbeddedClickHouse, free_port
from tillstream.settings import Settings
from tillstream.waiting import wait_for_clickhouse, wait_for_kafka

# xdist tells its workers a width of 80; output of commands is judged as a pipe gets it.
os.environ.pop("COLUMNS", None)

REPOSITORY = Path(__file__).resolve().parent.parent
START_SECONDS = 30
TEST_PARTITIONS = 4


def pytest_addoption(parser):
    parser.addoption("--full", action="store_true", help="the fault suite at full size")
    parser.addoption("--kafka", action="store_true", help="Apache Kafka instead of the embedded broker (see Makefile)")


def pytest_collection_modifyitems(config, items):
    """With --kafka only what meets a broker."""
    if config.getoption("--kafka"):
        config.hook.pytest_deselected(items=[item for item in items if "broker" not in item.fixturenames])
        items[:] = [item for item in items if "broker" in item.fixturenames]


@pytest.fixture(scope="session")
def on_kafka(request):
    """Whether the tests run on Apache Kafka itself."""
    return request.config.getoption("--kafka")


@pytest.fixture(scope="session")
def broker(tmp_path_factory, on_kafka):
    folder = tmp_path_factory.mktemp("broker")
    if on_kafka:
        from tests.kafka.server import KafkaServer

        server = KafkaServer(free_port(), folder)
    else:
        server = EmbeddedBroker("127.0.0.1", free_port(), folder / "broker.log")
    server.start()
    try:
        address = f"127.0.0.1:{server.port}"
        asyncio.run(wait_for_kafka(Settings(kafka_url=f"kafka://{address}"), START_SECONDS))
        yield address
    finally:
        server.stop()


@pytest.fixture(scope="session")
def clickhouse(tmp_path_factory):
    folder = tmp_path_factory.mktemp("clickhouse")
    server = EmbeddedClickHouse("127.0.0.1", free_port(), folder / "data", folder / "clickhouse.log")
    server.start()
    try:
        base = f"http://127.0.0.1:{server.port}"
        asyncio.run(wait_for_clickhouse(Settings(clickhouse_url=f"{base}/default"), START_SECONDS))
        yield base
    finally:
        server.stop()


@pytest.fixture
def settings(broker, clickhouse, tmp_path):
    mark = uuid.uuid4().hex[:10]
    return Settings(
        kafka_url=f"kafka://{broker}",
        clickhouse_url=f"{clickhouse}/test_{mark}",
        topic_prefix=f"t{mark}.",
        partitions=TEST_PARTITIONS,
        data_dir=tmp_path / "data",
        metrics_bind="127.0.0.1:0",
    )


@pytest.fixture
def migrated(settings):
    from tillstream.migrate import migrate

    asyncio.run(migrate(settings))
    return settings


@pytest.fixture
def environment():
    """Gives a function: the environment of a `tillstream` subprocess that runs with these settings."""
    from tillstream.local.launch import settings_environment

    def build(settings):
        return {**os.environ, **settings_environment(settings), "PYTHONPATH": str(REPOSITORY)}

    return build


class Ended(NamedTuple):
    """What a command wrote before it ended."""

    out: str
    err: str


@pytest.fixture
def command(monkeypatch, capfd):
    """Gives a function: run `tillstream` in this process, since a start of Python is most of what a command costs."""
    from tillstream.cli import main
    from tillstream.local.launch import settings_environment

    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level

    def run(settings, *argv, code=0):
        for name, value in settings_environment(settings).items():
            monkeypatch.setenv(name, value)
        monkeypatch.setattr("sys.argv", ["tillstream", *argv])
        capfd.readouterr()
        with pytest.raises(SystemExit) as ended:
            main()
        done = Ended(*capfd.readouterr())
        assert (ended.value.code or 0) == code, f"{argv}: {done.out}{done.err}"
        assert "Traceback" not in done.err
        return done

    yield run
    root.handlers[:] = handlers
    root.setLevel(level)
