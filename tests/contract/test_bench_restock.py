"""The simulator of restock runs, and what it counts adds up."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SCRIPT = ROOT / "bench" / "restock" / "run.py"


@pytest.fixture(scope="module")
def found():
    done = subprocess.run([sys.executable, SCRIPT, "--quick", "--json"], capture_output=True, text=True, check=True)
    return json.loads(done.stdout)


def test_it_says_what_it_measures():
    shown = subprocess.run([sys.executable, SCRIPT, "--help"], capture_output=True, text=True, check=True).stdout
    assert "python bench/restock/run.py" in shown


def test_every_policy_has_its_curve_and_a_higher_level_has_more_stock(found):
    assert set(found["found"]["curves"]) == {"moving average of 28 days", "Croston", "tillstream"}
    for points in found["found"]["curves"].values():
        assert points[0]["stock"] < points[-1]["stock"]
        for one in points:
            assert 1 > one["lost"] >= one["lost_hidden"] >= 0


def test_a_lower_threshold_raises_no_more(found):
    raised = [one["alerts"] for one in found["found"]["silent"]]
    assert raised == sorted(raised, reverse=True)


def test_what_is_calibrated_was_never_seen_by_what_is_reported(found):
    assert found["plan"]["seeds"] == [101]
    sys.path.insert(0, str(ROOT / "bench"))
    from restock.course import TEST_SEEDS, TRAINING_SEEDS

    assert not set(TEST_SEEDS) & set(TRAINING_SEEDS)


def test_results_of_a_quick_run_go_into_no_document():
    done = subprocess.run([sys.executable, SCRIPT, "--quick", "--write"], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "full size" in done.stderr
