"""The benchmarks are run by hand; here it is held that each can be, and that what it measures is right."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SCRIPTS = sorted((ROOT / "bench").glob("*.py"))


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script.name)
def test_every_benchmark_says_what_it_measures(script):
    shown = subprocess.run([sys.executable, script, "--help"], capture_output=True, text=True, check=True).stdout
    assert "--json" in shown
    assert f"python bench/{script.name}" in shown


def test_the_contest_comes_first_and_every_other_script_is_run_too():
    shown = subprocess.run(
        [sys.executable, ROOT / "bench/all.py", "--help"], capture_output=True, text=True, check=True
    )
    names = shown.stdout.split("--only {", 1)[1].split("}", 1)[0].split(",")
    assert names[0] == "throughput"
    folders = [script.parent.name for script in (ROOT / "bench").glob("*/run.py")]
    assert sorted(names) == sorted([*folders, *(script.stem for script in SCRIPTS if script.name != "all.py")])


def contest(*more):
    argv = [sys.executable, ROOT / "bench/throughput.py", "--rounds", "1", "--limit", "400", "--json", *more]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def races(found):
    """Each contestant's rate and how many of its totals are wrong."""
    return {name: (one["rates"][0], one["runs"][0]["differences"]) for name, one in found["contestants"].items()}


@pytest.mark.integration
def test_the_contest_checks_the_totals_of_those_it_measures():
    found = contest("--broker", "embedded", "--only", "tillstream-1h")
    assert found["broker"] == "the embedded broker"
    [(rate, wrong)] = races(found).values()
    assert rate > 0
    assert wrong == 0


@pytest.mark.integration
def test_who_needs_java_is_left_out_with_a_sentence_where_there_is_none(tmp_path):
    """Nothing but Python is on the PATH."""
    argv = [sys.executable, ROOT / "bench/throughput.py", "--only", "kafka-streams-memory", "--only", "flink-sql"]
    done = subprocess.run(argv, env={"PATH": str(tmp_path)}, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    for name in ("kafka-streams-memory", "flink-sql"):
        assert f"{name} is left out: it needs Java 17 and Maven (java, mvn)" in " ".join(done.stderr.split())
    assert "Nobody is left who can take part." in done.stderr


@pytest.mark.integration
@pytest.mark.slow
@pytest.mark.timeout(600)  # two stacks of five processes, one after the other
def test_two_workers_and_a_sink_come_to_the_receipts_own_totals_and_into_clickhouse():
    """The script ends with 1 where a total is wrong, and does not end before the sink has carried everything."""
    argv = [sys.executable, ROOT / "bench/two_workers.py", "--rounds", "1", "--limit", "200", "--broker", "embedded"]
    done = subprocess.run([*argv, "--json"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert [len(run["shares"]) for runs in found["runs"].values() for run in runs] == [1, 2]
    for [run] in found["runs"].values():
        assert run["readable_seconds"] >= run["seconds"] > 0
        assert all(run["cpu_seconds"][role] > 0 for role in ("workers", "sink", "ClickHouse", "broker"))


@pytest.mark.integration
def test_the_latency_of_every_receipt_after_the_warm_up_is_measured_and_of_the_webhook_of_each_empty_shelf():
    """The script ends with 1 where a webhook does not come, or comes twice."""
    argv = [sys.executable, ROOT / "bench/latency.py", "--json", "--broker", "embedded"]
    argv += ["--rate", "200", "--seconds", "3", "--warm-up", "0"]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["lines"] >= 600
    assert 0 < found["receipts"] < found["lines"]
    hooked = found["webhook"]
    assert 3 * 20 * 0.8 <= hooked["webhooks"] == hooked["tracked"] <= hooked["received"]
    for wait in (found, hooked):
        assert 0 < wait["p50"] <= wait["p90"] <= wait["p99"] <= wait["longest"]
