"""A partition of `restock.state` in memory, as writers leave it that are killed: what has landed, in order."""

from __future__ import annotations

import asyncio

from kernel.records import Record
from streams.restock.rebuilt import rebuilt
from streams.restock.snapshot import Damaged, Snapshots
from streams.snapshots import SnapshotWriter


class Killed(Exception):
    """The writer is dead."""


class Topic:
    """Records in their order."""

    def __init__(self):
        self.records = []

    def append(self, messages):
        self.records += [Record(len(self.records) + at, 0, key, value) for at, (key, value, _) in enumerate(messages)]

    def compact(self):
        """Keep the last record of each key, and no tombstone."""
        last = {one.key: one for one in self.records}
        self.records = [one for one in self.records if last[one.key] is one and one.value is not None]

    def read(self):
        found = Snapshots()
        found.take(self.records)
        return found


class Outlet:
    """Dies at its `left`th operation, if it has one; of what is sent and not acknowledged a beginning has landed."""

    def __init__(self, topic):
        self.topic, self.waiting = topic, []
        self.left, self.lands, self.done = None, 0, 0

    async def send(self, role, partition, messages):
        assert role == "snapshots"
        self.waiting += messages
        self._operation()

    async def acknowledged(self):
        self._operation()
        self.topic.append(self.waiting)
        self.waiting = []

    def _operation(self):
        self.done += 1
        if self.left is None:
            return
        self.left -= 1
        if self.left < 0:
            self.topic.append(self.waiting[: self.lands])
            raise Killed


def restored(topic, windows):
    """The newest state that is whole, and the damage of those that are not; None where there is none."""
    found, damaged = topic.read(), []
    for head in found.heads(windows):
        try:
            *_, state = rebuilt(head, found.sections(head), windows, 0)
        except Damaged as fault:
            damaged.append(str(fault))
        else:
            return state, damaged
    return None, damaged


class Life:
    """A worker's restock of one partition: its state, and the writer of its snapshots; `records` are the feed's."""

    def __init__(self, topic, state, decide):
        self.topic, self.state, self._decide = topic, state, decide
        self.outlet = Outlet(topic)
        self.writer = SnapshotWriter(0, self.outlet, least=0)
        self.writer.predecessors = topic.read().keys()
        self.started_at = state.applied

    def take(self, records):
        """Decide by those that it does not have yet; gives what came of each."""
        came = []
        for record, message in records[self.state.applied + 1 :]:
            self.writer.changing(message)
            came.append(self._decide(self.state, record.offset, message))
            self.writer.landed([record], self.state.applied)
        return came

    def round(self, kill_at=None, lands=0):
        """Write a snapshot; says whether it was killed at that operation."""
        self.outlet.left, self.outlet.lands = kill_at, lands

        async def write():
            taken = await self.writer.take(self.state)
            if taken is not None:
                await self.writer.write(taken)

        try:
            asyncio.run(write())
        except Killed:
            return True
        return False
