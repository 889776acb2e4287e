"""`tillstream worker` and `tillstream sink` by themselves: neighbours that are away, topics that are wrong."""

from __future__ import annotations

import asyncio
import signal
import socket
import threading
from contextlib import contextmanager

import pytest

from tests.integration.programs import program
from tillstream import ch
from tillstream.groups import groups_of, wait_until_assigned
from tillstream.local.launch import free_port
from tillstream.local.supervisor import UNMENDABLE

pytestmark = pytest.mark.integration


@contextmanager
def forwarded(port, to):
    """Until the end, whoever connects to `port` reaches host and port `to`: a server that has come up."""
    server = socket.create_server(("127.0.0.1", port))

    def copy(source, target):
        try:
            while data := source.recv(65536):
                target.sendall(data)
            target.shutdown(socket.SHUT_WR)
        except OSError:  # one of the two has gone
            pass

    def accept():
        while True:
            try:
                client, _ = server.accept()
            except OSError:  # closed: the end
                return
            upstream = socket.create_connection(to)
            for pair in ((client, upstream), (upstream, client)):
                threading.Thread(target=copy, args=pair, daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    try:
        yield
    finally:
        server.shutdown(socket.SHUT_RDWR)
        server.close()


def test_roles_wait_for_kafka_and_clickhouse_in_one_line_each_and_go_on_when_they_come(migrated, environment):
    kafka, clickhouse = free_port(), free_port()
    options = ch.client_options(migrated)
    host, _, port = migrated.kafka_servers[0].rpartition(":")
    away = migrated.model_copy(
        update={
            "kafka_url": f"kafka://127.0.0.1:{kafka}",
            "clickhouse_url": type(migrated.clickhouse_url)(
                f"http://127.0.0.1:{clickhouse}/{migrated.clickhouse_database}"
            ),
        }
    )

    async def assigned():
        async with asyncio.timeout(60):
            await wait_until_assigned(migrated, groups_of(migrated, "worker", 1) + groups_of(migrated, "sink", 1))

    with program(["worker"], environment(away)) as worker, program(["sink"], environment(away)) as sink:
        no_kafka = f"waiting for Kafka at 127.0.0.1:{kafka}: connection refused"
        no_clickhouse = f"waiting for ClickHouse at 127.0.0.1:{clickhouse}: connection refused"
        worker.says(no_kafka)
        sink.says(no_kafka)
        # The broker names its own address to who has found it once: only the first connection is forwarded.
        with forwarded(kafka, (host, int(port))):
            sink.says(no_clickhouse)
            with forwarded(clickhouse, (options["host"], options["port"])):
                asyncio.run(assigned())
                assert worker.ends(signal.SIGTERM) == 0
                assert sink.ends(signal.SIGTERM) == 0
    assert sum(no_kafka in line for line in worker.err + sink.err) == 2
    assert sum(no_clickhouse in line for line in sink.err) == 1
    assert "Traceback" not in worker.everything() + sink.everything()


@pytest.mark.parametrize("role", ["worker", "sink"])
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_role_that_still_waits_stops_at_a_signal_with_0(settings, environment, role, number):
    away = settings.model_copy(update={"kafka_url": f"kafka://127.0.0.1:{free_port()}"})
    with program([role], environment(away)) as running:
        running.says("waiting for Kafka")
        assert running.ends(number) == 0
    assert "Traceback" not in running.everything()


def test_a_sink_whose_clickhouse_takes_connections_and_never_answers_ends_in_time(migrated, environment):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}/test"
        mute = migrated.model_copy(update={"clickhouse_url": type(migrated.clickhouse_url)(url)})
        with program(["sink"], environment(mute)) as running:
            silent.settimeout(60)
            client, _ = silent.accept()
            with client:
                assert running.ends(signal.SIGTERM) == 0
        assert "Traceback" not in running.everything()


@pytest.mark.parametrize("role", ["worker", "sink"])
def test_a_wrong_partition_count_ends_a_role_with_the_mending_command(migrated, environment, role):
    with program([role], environment(migrated.model_copy(update={"partitions": 3}))) as running:
        assert running.ends(within=30) == UNMENDABLE
    said = " ".join(running.err)
    assert f"{migrated.topic_prefix}pos.receipts has 4 partitions, not 3." in said
    assert "TILLSTREAM_PARTITIONS=4" in said
    assert "tillstream migrate" in said
    assert "Traceback" not in said


def test_metrics_beyond_loopback_without_a_token_end_a_role_before_it_does_anything(settings, environment):
    with program(["sink"], environment(settings.model_copy(update={"metrics_bind": "0.0.0.0:9100"}))) as running:
        assert running.ends(within=30) == UNMENDABLE
    said = " ".join(running.err)
    assert "would open /metrics to others without a token" in said
    assert "TILLSTREAM_METRICS_TOKEN" in said
