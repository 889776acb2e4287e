"""`tillstream demo` from outside: what it prints, what it takes, what it leaves behind."""

from __future__ import annotations

import asyncio
import json
import os
import pty
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from contextlib import ExitStack

import psutil
import pytest

from schemas.errors import Unavailable
from tests.conftest import REPOSITORY
from tests.integration.programs import none_left, program
from tillstream import ch
from tillstream.demo import feed_watch, restock_proof
from tillstream.demo import follow as follow_module
from tillstream.local.launch import free_port
from tillstream.outputs import OUTPUTS

pytestmark = pytest.mark.integration


@pytest.fixture
def usual(tmp_path):
    """Environment of a demo whose addresses are free ports, so that it never meets another one on this machine."""

    def build(kafka=None, clickhouse=None, metrics=None):
        return {
            **os.environ,
            "TMPDIR": str(tmp_path),
            "PYTHONPATH": str(REPOSITORY),
            "TILLSTREAM_KAFKA_URL": f"kafka://127.0.0.1:{kafka or free_port()}",
            "TILLSTREAM_CLICKHOUSE_URL": f"http://127.0.0.1:{clickhouse or free_port()}/tillstream",
            "TILLSTREAM_METRICS_BIND": f"127.0.0.1:{metrics or free_port()}",
        }

    return build


def test_it_reconciles_on_busy_ports_without_a_terminal_and_leaves_nothing(usual, tmp_path):
    with ExitStack() as stack:
        busy = []
        for _ in range(3):
            held = stack.enter_context(socket.socket())
            held.bind(("127.0.0.1", 0))
            held.listen()
            busy.append(held.getsockname()[1])
        demo = stack.enter_context(program(["demo", "--limit", "2000", "--no-wait"], usual(*busy)))
        demo.says("worker and sink join their groups")
        demo.says("published: 2,000 of 2,000")
        family = psutil.Process(demo.process.pid).children()
        assert demo.ends(within=120) == 0, demo.everything()
    assert len(family) == 4
    assert none_left(family)
    assert list(tmp_path.iterdir()) == []

    assert re.fullmatch(r"reconciled: [1-9]\d+ rows, 0 differences", demo.out[-1])
    said = "\n".join(demo.out)
    for part in (
        "top movers",
        "FLUID MILK",
        "busiest stores",
        "receipts by hour",
        "resident memory",
        "2,469 households",
    ):
        assert part in said
    assert re.search(r"sent: 2,000 receipts, [\d,]+ lines", said)
    assert re.search(r"[\d,]+ receipts/s, [\d,]+ lines/s", said)
    assert "inputs: 2,000 = 2,000 folded + 0 duplicate + 0 late + 0 rejected + 0 ignored" in demo.out
    assert "alerts: none: stock is simulated where the receipts are of two weeks or more" in said
    for part in ("broker", "clickhouse", "worker", "sink", "demo", "together"):
        assert re.search(rf"{part} +│ +[1-9][\d,]* │", said), part

    steps = "\n".join(demo.err)
    for port, part in zip(busy, ["broker", "ClickHouse", "metrics page"], strict=True):
        assert re.search(rf"127\.0\.0\.1:{port} is busy, so the demo's {part} is at 127\.0\.0\.1:\d+", steps)
    for step in ("starting a broker", "counted: 2,000 of 2,000", "in the ledger: 2,000 of 2,000", "comparing with"):
        assert step in steps
    assert "\x1b" not in said + steps
    assert "Traceback" not in steps


def test_it_draws_bars_simulates_stock_serves_until_ctrl_c_and_an_independent_check_agrees(usual, tmp_path):
    environment = usual()
    terminal, end = pty.openpty()
    drawn = []
    reader = threading.Thread(target=read_all, args=(terminal, drawn))
    reader.start()
    argv = [sys.executable, "-m", "tillstream", "demo", "--limit", "8000", "--json"]
    demo = subprocess.Popen(argv, env={**environment, "TERM": "xterm"}, stdout=subprocess.PIPE, stderr=end, text=True)
    os.close(end)
    try:
        found = json_from(demo.stdout)
        assert set(found) == set(OUTPUTS["demo"])
        assert found["receipts"] == 8000
        assert found["environment"]["TILLSTREAM_KAFKA_URL"] == environment["TILLSTREAM_KAFKA_URL"]
        rows = found["reconciliation"]["rows"]
        assert found["reconciliation"]["line"] == f"reconciled: {rows} rows, 0 differences"
        assert rows > found["rows"]  # the store that does not exist is reconciled too
        assert len(found["top_movers"]) == 10
        assert sum(found["receipts_by_hour_utc"]) == 8000
        alerts_are_as_the_log_calls_for(found["alerts"])
        commands_work(environment, found["alerts"])
        assert min(found["memory"].values()) > 1_000_000

        check = [sys.executable, "bench/independent_check.py", "--clickhouse", environment["TILLSTREAM_CLICKHOUSE_URL"]]
        agrees = subprocess.run(
            [*check, "--limit", "8000"], cwd=REPOSITORY, capture_output=True, text=True, check=False
        )
        assert agrees.returncode == 0, agrees.stdout + agrees.stderr
        assert f"sales: {found['rows']} rows expected, {found['rows']} found, 0 differences" in agrees.stdout
        differs = subprocess.run([*check, "--limit", "8001"], cwd=REPOSITORY, capture_output=True, check=False)
        assert differs.returncode == 1

        family = psutil.Process(demo.pid).children()
        demo.send_signal(signal.SIGINT)
        assert demo.wait(10) == 0
        assert none_left(family)
    finally:
        demo.kill()
        demo.communicate()
    reader.join()
    seen = b"".join(drawn).decode()
    assert "\x1b[" in seen
    assert "━" in seen
    assert "8159/8159" in seen
    assert "Traceback" not in seen
    assert list(tmp_path.iterdir()) == []


def alerts_are_as_the_log_calls_for(told):
    """All rules but the one that needs weeks of silence (tests/unit/tillstream/demo has the whole year)."""
    assert told["simulated"] is True
    assert (told["states_different"], told["shelves_different"]) == (0, 0)
    assert told["states"] > told["shelves"] == 41
    for rule in ("reorder_point", "stock_out", "surge"):
        counts = told["rules"][rule]
        assert counts["raised"] >= 1
        assert counts["raised"] == counts["resolved"] + counts["open"]
    assert len(told["open"]) == sum(counts["open"] for counts in told["rules"].values())
    assert all(one["name"].startswith("simulated: ") for one in told["open"])


def commands_work(environment, told):
    """What the summary says to try, beside the demo."""

    def run(*command, given=None):
        argv = [sys.executable, "-m", "tillstream", *command]
        done = subprocess.run(argv, env=environment, input=given, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout

    assert {one["alert_id"] for one in json.loads(run("alerts", "--json"))} == {one["alert_id"] for one in told["open"]}
    low = next(one for one in told["open"] if one["rule"] == "reorder_point")
    assert "reorder point" in run("alerts", "explain", low["alert_id"])
    count = {"movement_id": "mine", "store_id": low["store_id"], "sku": low["sku"], "kind": "count", "quantity": "900",
             "occurred_at": "2017-02-01T00:00:00Z"}  # fmt: skip
    assert "published: 1 movements" in run("stock", "-", given=json.dumps(count) + "\n")
    deadline = time.monotonic() + 30
    while json.loads(run("alerts", "show", low["alert_id"], "--json"))["state"] != "resolved":
        assert time.monotonic() < deadline, "the count resolves it"


def read_all(terminal, into):
    """Read a terminal until the last one who writes to it has ended."""
    try:
        while data := os.read(terminal, 65536):
            into.append(data)
    except OSError:  # Linux's way to say so
        pass
    finally:
        os.close(terminal)


def json_from(stream):
    """The one document that a program prints which does not end afterwards."""
    text = ""
    for line in stream:
        text += line
        if line == "}\n":
            return json.loads(text)
    raise AssertionError(f"no JSON: {text}")


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 130), (signal.SIGKILL, -9)])
def test_ended_before_its_summary_it_leaves_no_process(usual, tmp_path, number, code):
    with program(["demo", "--limit", "10"], usual()) as demo:
        demo.says("starting worker and sink")
        family = psutil.Process(demo.process.pid).children()
        assert len(family) >= 2
        assert demo.ends(number) == code
        assert none_left(family)
    assert "Traceback" not in demo.everything()
    if number != signal.SIGKILL:
        assert list(tmp_path.iterdir()) == []


def test_a_part_that_cannot_go_on_ends_it_with_its_sentence_and_keeps_the_logs(usual, tmp_path):
    with program(["demo", "--limit", "10"], usual()) as demo:
        demo.says("starting worker and sink")
        family = demo.children()
        family["broker"].kill()
        assert demo.ends() == 1
        assert none_left(family.values())
    said = demo.everything()
    assert "The embedded broker ended by itself" in said
    assert "Traceback" not in said
    (folder,) = tmp_path.iterdir()
    assert f"what the parts said is kept in {folder / 'logs'}" in said
    assert (folder / "logs" / "broker.log").exists()
    assert [entry.name for entry in folder.iterdir()] == ["logs"]


def test_receipts_that_never_become_readable_are_said_with_how_many_are_missing(migrated, monkeypatch):
    monkeypatch.setattr(follow_module, "STALLED_SECONDS", 0.0)

    async def run():
        published = asyncio.get_running_loop().create_future()
        published.set_result(5)
        told = []
        with ch.connect(migrated) as client, pytest.raises(Unavailable) as stalled:
            await follow_module.follow(client, published, told.append)
        assert told == [(0, 0, 0)]
        return str(stalled.value)

    assert "0 of 5 receipts are counted and 0 are in the ledger" in asyncio.run(run())


def test_an_alert_or_a_shelf_that_clickhouse_has_not_is_a_difference(migrated, monkeypatch):
    monkeypatch.setattr(restock_proof, "PATIENCE", 0.0)
    with ch.connect(migrated) as client:
        report = asyncio.run(restock_proof.prove(client, {("an alert", 1, "raised")}, {("12", "milk"): 3}))
    assert report.different
    assert (report.states, report.states_differ, report.shelves, report.shelves_differ) == (1, 1, 1, 1)


async def test_stock_that_restock_is_never_told_is_said(migrated, monkeypatch):
    monkeypatch.setattr(feed_watch, "SILENT_SECONDS", 0.0)
    async with feed_watch.FeedWatch(migrated) as watch:
        with pytest.raises(Unavailable, match="it was not told the sales of store 12 within 0 s"):
            await watch.sold("12", 1)
