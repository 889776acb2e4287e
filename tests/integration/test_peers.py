"""The peers of bench/throughput.py count right, on Apache Kafka: one that is wrong or cannot start proves nothing."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from tests.conftest import REPOSITORY


@pytest.mark.usefixtures("broker")  # so that `make test-kafka` takes it up, which has Java and Maven
@pytest.mark.integration
@pytest.mark.slow
@pytest.mark.timeout(600)  # Maven fetches its jars the first time
def test_kafka_streams_comes_to_the_receipts_own_totals_with_either_store(on_kafka):
    if not on_kafka:
        pytest.skip("needs Java: make test-kafka runs it")
    argv = [sys.executable, REPOSITORY / "bench/throughput.py", "--rounds", "1", "--limit", "400", "--json"]
    argv += ["--only", "kafka-streams-memory", "--only", "kafka-streams-rocksdb"]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["broker"] == "Apache Kafka 4.3.1"
    assert {name: run["differences"] for name, one in found["contestants"].items() for run in one["runs"]} == {
        "Kafka Streams, in memory": 0,
        "Kafka Streams, RocksDB": 0,
    }
