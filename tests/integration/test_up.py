"""`tillstream up` from outside: ready, clean stops, nothing left behind, busy ports, parts alone, parts that die."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import socket
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition
from prometheus_client.parser import text_string_to_metric_families

from schemas.metrics import ALL
from schemas.topics import RECEIPTS, group_id, rows_group
from tests.conftest import REPOSITORY
from tests.integration.harness import publish
from tests.integration.journals import until_journaled
from tests.integration.programs import none_left, program
from tests.integration.test_exact import receipts
from tests.unit.tillstream.local.journal.disks import stream, written
from tillstream import kafka
from tillstream.consumer_lag import READ
from tillstream.local.journal.disk import Folder
from tillstream.local.launch import free_port, settings_environment
from tillstream.reconcile.run import reconcile
from tillstream.settings import Settings
from tillstream.waiting import wait_for_kafka

pytestmark = pytest.mark.integration
SENT = receipts(600, seed=7)
# Declared for later releases.
LATER = {
    "tillstream_webhook_deliveries_total",
    "tillstream_webhook_seconds",
    "tillstream_till_gaps_total",
}


def own(folder: Path, **changes) -> Settings:
    """Settings for an `up` that shares nothing with other tests."""
    return Settings(
        **{
            "kafka_url": f"kafka://127.0.0.1:{free_port()}",
            "clickhouse_url": f"http://127.0.0.1:{free_port()}/tillstream",
            "metrics_bind": f"127.0.0.1:{free_port()}",
            "partitions": 2,
            "data_dir": folder,
            **changes,
        }
    )


async def whole_log(settings):
    """By partition: offset, timestamp, key, headers and value of every record of pos.receipts."""
    async with AIOKafkaConsumer(**kafka.client_options(settings), **kafka.TO_THE_END) as consumer:
        parts = [TopicPartition(settings.topic_prefix + RECEIPTS, number) for number in range(settings.partitions)]
        ends = await kafka.end_offsets(consumer, parts)
        await consumer.seek_to_beginning(*parts)
        found = {part: [] for part in parts}
        while any(len(found[part]) < ends[part] for part in parts):
            for part, records in (await consumer.getmany(*parts, timeout_ms=100)).items():
                found[part] += [(r.offset, r.timestamp, r.key, r.headers, r.value) for r in records]
        return found


@pytest.fixture(scope="module")
def running(tmp_path_factory):
    """(program, settings) of one `up` with all parts, ready."""
    settings = own(tmp_path_factory.mktemp("up"))
    environment = {**os.environ, **settings_environment(settings), "PYTHONPATH": str(REPOSITORY)}
    with program(["up"], environment) as up:
        up.says("ready", up.out)
        yield up, settings


def metrics_of(settings):
    with urllib.request.urlopen(f"http://{settings.metrics_bind}/metrics", timeout=10) as answer:
        return list(text_string_to_metric_families(answer.read().decode()))


def exact(settings, many):
    """Reconcile: every input has a result, and no row differs."""
    report = asyncio.run(reconcile(settings, wait=60))
    assert report.different == 0, report.differences
    assert report.inputs == many
    return report


# The tests of this module that use `running` send it receipts one after the other: `sent` counts them.
@pytest.fixture(scope="module")
def sent():
    return []


def send(settings, sent, many):
    async def once_it_answers():
        await wait_for_kafka(settings)
        await publish(settings, SENT[len(sent) : len(sent) + many])

    asyncio.run(once_it_answers())
    sent.extend(SENT[len(sent) : len(sent) + many])


def test_ready_stands_alone_on_a_line_and_each_start_was_said(running):
    up, settings = running
    assert up.out == ["ready"]
    said = "\n".join(up.err)
    assert f"starting the embedded broker at {settings.kafka_servers[0]}" in said
    assert "starting the embedded ClickHouse at 127.0.0.1:" in said
    assert "starting worker and sink" in said
    assert set(up.children()) == {"broker", "journal", "clickhouse", "worker", "sink"}


def test_one_address_answers_with_the_metrics_of_all_roles(running, sent):
    up, settings = running
    send(settings, sent, 200)
    exact(settings, len(sent))
    asyncio.run(lag_known(settings))
    assert not [line for line in up.err if "Warning" in line], "no library speaks to the people who watch"
    found = {sample.name for family in metrics_of(settings) for sample in family.samples}
    wanted = {f"{m.name}_count" if m.kind == "histogram" else m.name for m in ALL if m.name not in LATER}
    # There once it has happened.
    seldom = {
        "tillstream_alerts_total", "tillstream_sink_retries_total", "tillstream_sink_set_aside_total",
        "tillstream_store_partitions",
    }  # fmt: skip
    assert wanted - found <= seldom


async def lag_known(settings):
    """Return once the lag has been asked for after all was through: it is 0 everywhere then."""
    of_role = {"worker": group_id("", 1), "ledger": group_id("", 1, "ledger"), "clickhouse": rows_group("")}
    groups = {(of_role[role], topic) for role, reads in READ.items() for topic in reads}
    async with asyncio.timeout(30):
        while True:
            found = [
                sample
                for family in await asyncio.to_thread(metrics_of, settings)
                for sample in family.samples
                if sample.name == "tillstream_consumer_lag"
            ]
            if found and not any(sample.value for sample in found):
                assert {(sample.labels["group"], sample.labels["topic"]) for sample in found} == groups
                assert len(found) == (len(groups) - 1) * settings.partitions + 1, "epochs have one partition"
                return
            await asyncio.sleep(0.2)


def test_a_data_folder_in_use_is_refused_with_its_holder(running, environment):
    up, settings = running
    with program(["up"], environment(own(settings.data_dir))) as second:
        assert second.ends() == 1
    said = " ".join(second.err)
    assert f"is in use by process {up.process.pid}." in said
    assert "TILLSTREAM_DATA_DIR or --data-dir" in said
    assert "Traceback" not in said


def test_a_killed_worker_sink_clickhouse_and_journal_are_started_again_and_the_result_is_exact(running, sent):
    up, settings = running
    killed = []
    for part in ("worker", "sink", "clickhouse", "journal"):
        before = up.children()[part]
        killed.append(before.pid)
        before.kill()
        up.says(f"{part} ended by itself (signal SIGKILL); it starts again")
        send(settings, sent, 100)
    report = exact(settings, len(sent))
    assert report.counts["folded"] > 300
    assert len(up.children()) == 5
    assert sum(line == "ready" for line in up.out) == 1
    # What the dead ones had open is no longer counted.
    shared = settings.data_dir / "broker" / "metrics"
    assert not [file for pid in killed for file in shared.glob(f"gauge_live*_{pid}.db")]
    assert list(shared.glob(f"gauge_live*_{up.children()['worker'].pid}.db"))


def test_sigterm_stops_everything_in_time_with_0_and_leaves_nothing(running):
    up, settings = running
    family = list(up.children().values())
    assert up.ends(signal.SIGTERM) == 0
    assert none_left(family)
    assert up.out == ["ready"]
    assert "Traceback" not in "\n".join(up.err)
    assert "is killed" not in "\n".join(up.err)
    for address in (settings.kafka_servers[0], settings.metrics_bind):
        host, _, port = address.rpartition(":")
        with socket.socket() as probe:
            assert probe.connect_ex((host, int(port))) != 0


def test_sigint_stops_it_and_the_next_start_goes_on_with_the_log(tmp_path, environment):
    settings = own(tmp_path)
    for start in range(2):
        with program(["up", "--only", "broker"], environment(settings)) as up:
            if start:
                up.says(f"{len(SENT)} messages of the journal are published into the broker")
                up.says("waiting for ClickHouse at 127.0.0.1:")  # rows of what was lost would have to go
                assert up.ends(signal.SIGINT) == 0
                break
            up.says("ready", up.out)
            asyncio.run(publish(settings, SENT))
            family = list(up.children().values())
            assert up.ends(signal.SIGINT) == 0
            assert none_left(family)


def test_a_sigkill_leaves_no_child(tmp_path, environment):
    with program(["up", "--only", "broker,clickhouse"], environment(own(tmp_path))) as up:
        up.says("ready", up.out)
        family = list(up.children().values())
        assert len(family) == 3
        up.ends(signal.SIGKILL)
        assert none_left(family)


def test_a_killed_broker_comes_back_with_its_log_and_clients_go_on(tmp_path, environment):
    settings = own(tmp_path)
    with program(["up", "--only", "broker,clickhouse"], environment(settings)) as up:
        up.says("ready", up.out)
        asyncio.run(publish(settings, SENT[:300]))
        before = asyncio.run(whole_log(settings))
        asyncio.run(until_journaled(settings, 300))
        family = up.children()
        up.children()["broker"].kill()
        up.says("The embedded broker ended by itself, and its log, which was in memory, with it")
        up.says("ready again")
        assert none_left(list(family.values()))
        assert asyncio.run(whole_log(settings)) == before
        asyncio.run(publish(settings, SENT[300:]))
        after = asyncio.run(whole_log(settings))
        assert {part: found[: len(before[part])] for part, found in after.items()} == before
        assert sum(map(len, after.values())) == len(SENT)
        assert up.ends(signal.SIGTERM) == 0
    assert up.out == ["ready"]
    log = re.search(r"\(what it said last is in (\S+broker\.log)\)", up.everything())
    assert log
    assert Path(log[1]).exists()


def test_a_damaged_journal_ends_the_start_with_file_byte_and_remedy_and_stays_as_it_is(tmp_path, environment):
    folder = tmp_path / "broker" / "journal"
    written(stream(30, seed=1), disk=Folder(folder))
    file = min(folder.iterdir())
    data = bytearray(file.read_bytes())
    data[len(data) // 2] ^= 1
    file.write_bytes(data)
    with program(["up", "--only", "broker"], environment(own(tmp_path))) as up:
        assert up.ends() == 1
    said = " ".join(up.err)
    assert re.search(rf"The journal of the embedded broker is damaged: {re.escape(str(file))}, byte \d+: ", said)
    assert "hint: Bring the file back from a backup" in said
    assert "Traceback" not in said
    assert file.read_bytes() == data


@pytest.mark.parametrize(
    ("setting", "value", "sentence"),
    [
        ("kafka_url", "kafka://{}", "is busy, so the embedded broker cannot listen there."),
        ("clickhouse_url", "http://{}/tillstream", "is busy, so the embedded ClickHouse cannot listen there."),
        ("metrics_bind", "{}", "cannot serve /metrics: Address already in use."),
    ],
)
def test_a_busy_port_is_a_sentence_with_the_setting_and_starts_nothing(tmp_path, environment, setting, value, sentence):
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        held.listen()
        where = f"127.0.0.1:{held.getsockname()[1]}"
        with program(["up"], environment(own(tmp_path, **{setting: value.format(where)}))) as up:
            assert up.ends() == 1
    said = " ".join(up.err)
    assert f"{where} {sentence}" in said
    assert f"TILLSTREAM_{setting.upper()}" in said
    assert "starting the embedded" not in said
    assert "Traceback" not in said


def test_roles_alone_wait_for_what_is_missing_say_so_and_go_on_when_it_comes(tmp_path, environment):
    settings = own(tmp_path / "roles")
    with program(["up", "--only", "worker,sink"], environment(settings)) as roles:
        roles.says(f"waiting for Kafka at {settings.kafka_servers[0]}: connection refused")
        assert roles.children() == {}
        servers = settings.model_copy(update={"data_dir": tmp_path / "servers"})
        with program(["up", "--only", "broker"], environment(servers)) as broker:
            broker.says("ready", broker.out)
            roles.says("waiting for ClickHouse at 127.0.0.1:")
            with program(["up", "--only", "clickhouse"], environment(servers)) as clickhouse:
                clickhouse.says("ready", clickhouse.out)
                roles.says("ready", roles.out)
                assert set(roles.children()) == {"worker", "sink"}
                assert roles.ends(signal.SIGTERM) == 0
    assert "Traceback" not in roles.everything()


@pytest.mark.parametrize(
    ("only", "sentence"),
    [
        ("web", "web (HTTP and dashboard) comes with a later release."),
        ("broker,web", "web (HTTP and dashboard) comes with a later release."),
        ("broker,kafka", "kafka is no part. hint: Parts are broker, clickhouse, worker, sink."),
        ("", "nothing is no part."),
    ],
)
def test_what_is_no_part_is_a_sentence(tmp_path, environment, only, sentence):
    argv = [sys.executable, "-m", "tillstream", "up", "--only", only]
    done = subprocess.run(argv, env=environment(own(tmp_path)), capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert sentence in " ".join(done.stderr.split())
