"""A log whose beginning retention has taken. The consumer is a fake: the embedded broker keeps everything."""

from __future__ import annotations

from contextlib import asynccontextmanager
from datetime import timedelta

import pytest
from aiokafka import TopicPartition

from tests.unit.streams.world import MINUTE, Record, message, moment
from tillstream.reconcile import log, recompute
from tillstream.reconcile.spill import Spill
from tillstream.settings import Settings


class Consumer:
    """Reads lists of records, `step` at a time."""

    def __init__(self, records, step):
        self.records, self.step = records, step

    def assign(self, partitions):
        (self.partition,) = partitions

    async def seek_to_beginning(self, partition):
        records = self.records[partition]
        self.at = records[0].offset if records else 0

    async def position(self, partition):
        return self.at

    async def getmany(self, partition, timeout_ms, max_records):
        found = [record for record in self.records[partition] if record.offset >= self.at][: self.step]
        self.at = found[-1].offset + 1
        return {partition: found}


def records_from(first, values):
    return [Record(first + at, b"12", value, moment(100 + at) // 1000) for at, value in enumerate(values)]


async def recomputed(monkeypatch, tmp_path, partitions, step=1):
    records = {TopicPartition("pos.receipts", number): found for number, found in enumerate(partitions)}

    @asynccontextmanager
    async def reader(settings, group=None):
        yield Consumer(records, step)

    monkeypatch.setattr(log, "reader", reader)
    settings = Settings(max_skew=timedelta(minutes=10))
    ends = {partition: found[-1].offset + 1 if found else 0 for partition, found in records.items()}
    return await recompute.recompute(settings, 5 * MINUTE, 60 * MINUTE, ends, Spill(tmp_path), lambda _: None)


@pytest.mark.parametrize("step", [1, 2, 100])
async def test_a_whole_log_is_compared_from_its_first_window_on(monkeypatch, tmp_path, step):
    # Nothing of the first fetches is folded: that is no sign of a beginning that is gone.
    done = await recomputed(
        monkeypatch, tmp_path, [records_from(0, [b"{", b"{", message("a", 0), message("b", 1)])], step
    )
    assert (done.floor, done.cut) == (0, set())
    assert done.counts == {0: {"rejected": 2, "folded": 2}}
    assert done.paid == {0: 20_000}


async def test_a_log_without_its_beginning_is_compared_from_the_window_that_nothing_before_can_have_touched(
    monkeypatch, tmp_path
):
    cut = records_from(7, [b"{", message("a", 100), message("b", 111)])
    done = await recomputed(monkeypatch, tmp_path, [records_from(0, [message("c", 0)]), cut, []])
    # published at 100, may claim 110: the window of 110 may have been touched, that of 115 cannot
    assert done.floor == moment(115)
    assert done.cut == {1}
