"""F10, the journal's half: its disk fills up under load; nothing is promised that is not kept, all is there after."""

from __future__ import annotations

import asyncio
import resource
import time

import psutil
import pytest

from tests.faults.embedded import Stand, publishing
from tests.faults.load import receipts
from tests.integration.journals import journaled, until_journaled

pytestmark = [pytest.mark.integration, pytest.mark.timeout(600)]


def test_f10_a_full_disk_of_the_journal_shuts_producers_out_and_is_exact_after(tmp_path, full, table):
    times = 10 if full else 2
    sent = iter(receipts(200_000, seed=10, days=30.0))
    stand = Stand(tmp_path / "data")
    folder = tmp_path / "data" / "broker" / "journal"

    async def run():
        stand.start()
        await stand.ready()
        journal = psutil.Process(stand.up.children()["journal"].pid)
        async with publishing(stand.settings, sent) as acknowledged:
            for number in range(1, times + 1):
                await until_journaled(stand.settings, number * 500)
                room = max(file.stat().st_size for file in folder.iterdir()) + 5_000
                journal.rlimit(psutil.RLIMIT_FSIZE, (room, resource.RLIM_INFINITY))
                await stand.says("cannot be written: File too large; clients are shut out until it can", number)
                before = len(acknowledged)
                assert journaled(stand.settings).total() <= before
                begun = time.monotonic()
                journal.rlimit(psutil.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
                await stand.says("the journal is written again: clients get in again", number)
                stand.recoveries.append(time.monotonic() - begun)
        assert journal.is_running()
        await stand.stop()
        stand.start()
        await stand.ready()
        log, differences = await stand.judged()
        missing = set(acknowledged) - {value for messages in log for value in messages}
        await stand.stop()
        return sum(map(len, log)), differences, missing

    try:
        events, differences, missing = asyncio.run(run())
    finally:
        if stand.up.process.poll() is None:
            asyncio.run(stand.kill_all())
    table("F10", times, events, differences, f"{max(stand.recoveries[1:-1]):.1f} s", "disk of the journal full")
    assert differences == 0
    assert not missing
