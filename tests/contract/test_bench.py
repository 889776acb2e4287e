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


@pytest.mark.integration
def test_the_throughput_benchmark_checks_the_totals_of_what_it_measures():
    argv = [sys.executable, ROOT / "bench/throughput.py", "--rounds", "1", "--limit", "400", "--peer-lines", "0"]
    argv += ["--window", "1 hour"]
    done = subprocess.run([*argv, "--json"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    (rates,) = [contestant["rates"] for contestant in found["contestants"].values()]
    assert rates[0] > 0
