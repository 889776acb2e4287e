"""Whatever beginning of the journal a crash leaves, no message in it speaks of one that is not.

till     receipts  0 .. 40 .. 80        the feed has told of 80, the journal has receipts up to 40:
worker   feed                  80       the next start puts other receipts at 41 to 80, and the feed,
crash              x                    which holds them for told, passes over them
"""

from __future__ import annotations

import asyncio
import json
import random

import pytest
from aiokafka.record.default_records import DefaultRecordBatch

from schemas.topics import ALERTS, DELIVERIES, FEED, RECEIPTS, SNAPSHOTS, STOCK
from tillstream.local.journal.follow import Follower
from tillstream.local.journal.limit import Limit
from tillstream.local.journal.link import Fetched
from tillstream.local.journal.order import JOURNALED, levels
from tillstream.local.journal.recovery import blocks, recover
from tillstream.local.journal.writer import Writer

from .disks import LossyDisk, batch

PARTITIONS = 2
PLACES = [(topic, partition) for topic in JOURNALED for partition in range(PARTITIONS)]
# Who reads what, and writes where: each message says what was the last one read.
WORKS = {FEED: (RECEIPTS, STOCK), ALERTS: (FEED,), DELIVERIES: (ALERTS,), SNAPSHOTS: (FEED, ALERTS)}


class Busy:
    """A broker, as the journal's link sees it, in which all go on while it looks from one partition to the next."""

    def __init__(self, seed, pause_after):
        self.drawn = random.Random(seed)
        self.log = {place: [] for place in PLACES}
        self.fetches, self.pause_after = 0, pause_after
        self.stop = asyncio.Event()

    async def fetch(self, positions, wait_ms):
        del wait_ms
        self.fetches += 1
        if self.fetches == self.pause_after:
            self.stop.set()
        found = []
        places = list(positions)
        self.drawn.shuffle(places)
        for place in places:
            for _ in range(self.drawn.choice([0, 0, 1, 6])):
                self.happens()
            # An answer holds so much of a partition, and no more.
            data = b"".join(one.data for one in self.log[place] if one.begin >= positions[place])
            many = self.drawn.choice([150, 400, 10_000])
            found.append(Fetched(place, self.end(place), data[:many] if many > 300 else data[: len(data) // 2]))
        return found

    def end(self, place):
        return self.log[place][-1].end if self.log[place] else 0

    def happens(self):
        """A till sells, or somebody takes note of it; nothing any more once all are to end."""
        if self.stop.is_set():
            return
        partition, topic = self.drawn.randrange(PARTITIONS), self.drawn.choice(JOURNALED)
        read = [(one, partition, self.end((one, partition)) - 1) for one in WORKS.get(topic, ())]
        values = [json.dumps(read).encode() for _ in range(self.drawn.randint(1, 3))]
        place = (topic, partition)
        self.log[place].append(batch(topic, partition, self.end(place), values))


class Gate:
    """The door, which plays no part here."""

    is_open = True

    def shut(self):
        """Nobody is there."""


def dangling(disk):
    """Messages that speak of such as are not there, of every beginning of a journal, block by block."""
    found, ends = 0, {}
    for block in blocks(disk, recover(disk, "", PARTITIONS)):
        for one in block.batches():
            ends[one.topic, one.partition] = one.end
        for one in block.batches():
            for record in DefaultRecordBatch(one.data):
                spoken_of = json.loads(record.value)
                found += sum(offset >= ends.get((topic, partition), 0) for topic, partition, offset in spoken_of)
    return found


@pytest.mark.parametrize("seed", range(60))
async def test_a_message_is_kept_after_those_that_it_speaks_of(seed):
    busy, disk = Busy(seed, pause_after=60), LossyDisk()
    writer = Writer(disk, recover(disk, "", PARTITIONS), 20_000)
    writer.begin()
    follower = Follower(busy, writer, Gate(), levels("", PLACES), RECEIPTS, Limit(10**9), "")
    await follower.run(busy.stop)
    assert dangling(disk) == 0
    assert writer.durable_ends == {place: busy.end(place) for place in PLACES if busy.log[place]}


def test_every_journaled_topic_has_its_level():
    assert [len(level) for level in levels("p.", [("p." + topic, 0) for topic in JOURNALED])] == [3, 1, 1, 2]
