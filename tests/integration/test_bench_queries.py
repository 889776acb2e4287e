"""The benchmark of queries on a small chain: it fills, rolls up, asks, and says what served each query."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from tests.conftest import REPOSITORY

pytestmark = pytest.mark.integration


def test_each_query_has_an_answer_and_something_that_serves_it(tmp_path):
    folder = tmp_path / "chain"
    options = ["--rows", "100000", "--days", "8", "--runs", "2", "--folder", str(folder), "--json"]

    def run(*more):
        argv = [sys.executable, "bench/queries.py", *options, *more]
        done = subprocess.run(argv, cwd=REPOSITORY, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    found = run()
    assert 70_000 < found["tables"]["sales_windows"]["rows"] < 150_000
    by_name = {one["name"]: one for one in found["queries"]}
    assert [name for name, one in by_name.items() if not one["rows"] and name != "status: counts"] == []
    assert all(len(one["milliseconds"]) == 2 and one["p50"] <= one["p95"] for one in by_name.values())
    assert "projection by_store" in by_name["the chain's revenue by day"]["served_by"][0]
    assert "projection by_sku" in by_name["the chain's best sellers this week"]["served_by"][0]
    assert "key of rollup_days" in by_name["a SKU in a store by day"]["served_by"][0]

    again = run("--only", "chain's revenue", "--drop")
    assert [one["name"] for one in again["queries"]] == [name for name in by_name if "chain's revenue" in name]

    assert not folder.exists()
