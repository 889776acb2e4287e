"""`tillstream rebuild` beside the running job: nobody pauses, no figure is wrong, and the old epoch can go."""

from __future__ import annotations

import asyncio
import itertools
import json
import signal
from contextlib import suppress
from datetime import UTC, date, datetime, timedelta

import psutil
import pytest

from schemas.errors import Stop
from tests.integration.harness import publish, ready, roles, settled
from tests.integration.programs import none_left, program
from tests.integration.test_exact import receipts
from tillstream import ch
from tillstream.rebuilding.rebuild import rebuild
from tillstream.rebuilding.remove import ROLLUPS, TABLES
from tillstream.reconcile.run import reconcile

pytestmark = pytest.mark.integration
COUNTED = "SELECT sum(receipts) FROM receipt_counts"


async def watched(settings, figures):
    """Note what a dashboard would show, again and again, until cancelled."""
    client = await asyncio.to_thread(ch.connect, settings)
    with suppress(asyncio.CancelledError):
        while True:
            figures.append((await asyncio.to_thread(client.query, COUNTED)).result_rows[0][0])
            await asyncio.sleep(0.02)  # the dashboard's own pace


def rows_of(settings, epoch):
    with ch.connect(settings) as client:
        return sum(
            client.query(f"SELECT count() FROM {name} WHERE epoch = {epoch}").result_rows[0][0]
            for name in (*TABLES, *ROLLUPS)
        )


def test_a_rebuild_under_load_changes_the_window_and_takes_the_place_of_what_runs(migrated, environment, command):
    sent = receipts(6_000, seed=21)
    wanted = migrated.model_copy(update={"window": timedelta(minutes=15), "grace": timedelta(hours=120)})
    figures, said = [], []

    async def run():
        await ready(migrated)
        await publish(migrated, sent[:3_000])
        await settled(migrated, 3_000)
        watching = asyncio.create_task(watched(migrated, figures))
        loading = asyncio.create_task(publish(migrated, sent[3_000:], pause=1.0))
        done = await rebuild(wanted, said.append)
        await loading
        report = await settled(wanted, len(sent))
        watching.cancel()
        await watching
        return done, report

    with roles(environment, migrated, "worker", "sink") as (processes, _):
        done, _report = asyncio.run(run())
        assert [process.poll() for process in processes] == [None, None], "nobody was restarted"
    assert (done.epoch.epoch, done.replaced, done.goes_on) == (2, [1], ["worker", "sink"])
    assert done.report.different == 0
    # It may be level only up to what is under way: far less than one epoch's worth, never the sum of both.
    steps = [after - before for before, after in itertools.pairwise(figures)]
    assert min(steps) > -400
    assert max(figures) == figures[-1]
    with ch.connect(wanted) as client:
        starts = client.query("SELECT uniqExact(toUnixTimestamp(window_start) % 900), count() FROM sales").result_rows
    assert starts[0][0] == 1, "every window is one of fifteen minutes"
    listed = {row["epoch"]: row for row in json.loads(command(wanted, "epochs", "list", "--json").out)}
    assert (listed[1]["state"], listed[2]["state"]) == ("retired", "counts")
    assert listed[2]["window_seconds"] == 900
    assert "is live" in command(wanted, "epochs", "remove", "2", code=1).err
    removed = json.loads(command(wanted, "epochs", "remove", "1", "--json").out)
    assert removed["rows"]["sales_windows"] > 1_000
    assert rows_of(wanted, 1) == 0
    assert "no epoch 1" in command(wanted, "epochs", "remove", "1", code=1).err
    with pytest.raises(Stop, match="TILLSTREAM_WINDOW is 300 s, but epoch 2 was computed with 900 s"):
        asyncio.run(reconcile(migrated))
    assert command(wanted, "migrate").out.count("epoch 2: live") == 1
    assert asyncio.run(reconcile(wanted)).different == 0


def test_a_rebuild_goes_on_where_it_was_interrupted_and_takes_no_place_unless_it_reconciles(
    migrated, environment, command
):
    """Nobody else runs: a rebuild brings its own worker and sink."""
    sent = receipts(300, seed=22)
    asyncio.run(publish(migrated, sent))
    with program(["rebuild"], environment(migrated)) as running:
        running.says("computing epoch 2 beside epoch 1")
        children = psutil.Process(running.process.pid).children(recursive=True)
        assert running.ends(signal.SIGINT) == 130
        assert none_left(children)
    with ch.connect(migrated) as client:
        columns = ["store_id", "sku", "currency", "window_start", "business_date", "partition", "epoch", "version"]
        wrong = ["12", "nobody sold this", "NOK", datetime(2026, 9, 1, 12, tzinfo=UTC), date(2026, 9, 1), 0, 2, 1]
        client.insert("sales_windows", [wrong], column_names=columns)
        refused = command(migrated, "rebuild", code=1).out
        assert "NOT reconciled" in refused
        assert "nobody sold this" in refused
        assert "epoch 2 does not reconcile and takes no place; what was live is live" in refused
        assert client.query("SELECT epoch FROM live_epochs").result_rows == [(1,)]
        client.command("ALTER TABLE sales_windows DELETE WHERE sku = 'nobody sold this' SETTINGS mutations_sync = 2")
        done = command(migrated, "rebuild").out
        assert client.query("SELECT epoch FROM live_epochs").result_rows == [(2,)]
    assert "epoch 2 is live in place of epoch 1" in done
    assert "no worker runs: start one with `tillstream worker`" in done
    assert "`tillstream epochs remove 1` removes the rows" in done
