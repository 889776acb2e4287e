"""Disks that crash, fill up and lose what was not synced; and batches to write on them."""

from __future__ import annotations

import errno
import random

from aiokafka.record.default_records import DefaultRecordBatch, DefaultRecordBatchBuilder

from tillstream.local.journal.batch import Batch
from tillstream.local.journal.recovery import blocks, recover
from tillstream.local.journal.writer import Writer

PAGE = 64
TOPICS = ("pos.receipts", "stock.movements")


class Crash(Exception):
    """The machine, or the process, is gone."""


class LossyDisk:
    """In memory. Ends with Crash at operation `crash_at`, and with ENOSPC beyond `room` bytes.

    `after_crash` gives a disk as a crash may leave it: synced data whole; of the rest any part, pages out of order.
    """

    def __init__(self, files=None, crash_at=None, room=None, failing=()):
        self.files = dict(files or {})
        self.durable = dict(self.files)
        self.listed = set(self.files)
        self.crash_at, self.room, self.failing = crash_at, room, set(failing)
        self.operations = 0

    def _step(self):
        self.operations += 1
        if self.operations == self.crash_at:
            raise Crash
        if self.operations in self.failing:
            raise OSError(errno.EIO, "Input/output error")

    def where(self, name):
        return f"/journal/{name}"

    def names(self):
        return sorted(self.files)

    def read(self, name):
        return self.files[name]

    def create(self, name):
        self._step()
        assert name not in self.files
        self.files[name] = b""
        self.durable.setdefault(name, b"")

    def append(self, name, data):
        self.files[name] += data[: len(data) // 2]
        self._step()
        used = sum(map(len, self.files.values()))
        rest = data[len(data) // 2 :]
        if self.room is not None and used + len(rest) > self.room:
            self.files[name] += rest[: max(0, self.room - used)]
            raise OSError(errno.ENOSPC, "No space left on device")
        self.files[name] += rest

    def truncate(self, name, size):
        self._step()
        self.files[name] = self.files[name][:size]

    def remove(self, name):
        self._step()
        del self.files[name]

    def sync(self, name):
        self._step()
        self.durable[name] = self.files[name]

    def sync_folder(self):
        self._step()
        self.listed = set(self.files)
        self.durable = {name: data for name, data in self.durable.items() if name in self.listed}

    def after_crash(self, drawn: random.Random) -> LossyDisk:
        left = {}
        for name in {*self.files, *self.listed}:
            certain = name in self.files and name in self.listed
            if certain or drawn.random() < 0.5:
                left[name] = self._what_is_left(name, drawn)
        return LossyDisk(left)

    def _what_is_left(self, name, drawn):
        durable, wanted = self.durable.get(name, b""), self.files.get(name, b"")
        if not wanted.startswith(durable):
            return drawn.choice([durable, wanted])
        fresh = bytearray(wanted[len(durable) :])
        del fresh[drawn.randint(0, len(fresh)) :]
        if drawn.random() < 0.5:
            for page in range(0, len(fresh), PAGE):
                if drawn.random() < 0.3:
                    fresh[page : page + PAGE] = bytes(len(fresh[page : page + PAGE]))
        return durable + bytes(fresh)


def batch(topic, partition, begin, values, **options) -> Batch:
    """A batch as Kafka's producers make them; keys, headers and times come from the offsets."""
    producer = (options.get("producer_id", -1), options.get("producer_epoch", -1), options.get("base_sequence", -1))
    builder = DefaultRecordBatchBuilder(2, options.get("compression", 0), 0, *producer, 1 << 30)
    for index, value in enumerate(values):
        offset = begin + index
        builder.append(index, 1_000_000 + offset, b"%d" % (offset % 7), value, [("trace", b"%d" % offset)])
    data = bytearray(builder.build())
    data[:8] = begin.to_bytes(8, "big")
    return Batch(topic, partition, begin, begin + len(values), bytes(data))


def stream(many, seed, largest=5):
    """So many batches over two topics of two partitions, each going on where its partition ends."""
    drawn, ends, out = random.Random(seed), {}, []
    for _ in range(many):
        place = (drawn.choice(TOPICS), drawn.randrange(2))
        begin = ends.get(place, 0)
        values = [drawn.randbytes(drawn.randrange(60)) for _ in range(drawn.randint(1, largest))]
        out.append(batch(*place, begin, values))
        ends[place] = begin + len(values)
    return out


def records(one):
    """(offset, timestamp, key, value, headers) of each record."""
    return [(r.offset, r.timestamp, r.key, r.value, list(r.headers)) for r in DefaultRecordBatch(one.data)]


def opened(disk):
    """(batches in order, the journal as recovered)."""
    found = recover(disk, "", 2)
    return [one for block in blocks(disk, found) for one in block.batches()], found


def written(batches, per_block=3, segment_bytes=900, disk=None):
    """A disk with these batches, all of them synced."""
    disk = disk or LossyDisk()
    writer = Writer(disk, recover(disk, "", 2), segment_bytes)
    writer.begin()
    for at in range(0, len(batches), per_block):
        writer.append(batches[at : at + per_block])
        writer.sync()
    return disk


def killed_at_each_operation(sent, seeds):
    """(how often a run was killed, batches lost of those that were synced or not brought by the run after it).

    Each write, sync, creation and cut has its turn: once with only the process gone, and by each seed with the
    machine gone as well, so that any part of what was not synced is lost.
    """
    crashed = lost = 0
    while True:
        disk, synced = LossyDisk(crash_at=crashed + 1), 0
        try:
            writer = Writer(disk, recover(disk, "", 2), 700)
            writer.begin()
            for at in range(0, len(sent), 2):
                writer.append(sent[at : at + 2])
                writer.sync()
                synced = at + 2
        except Crash:
            crashed += 1
        else:
            return crashed, lost
        for left in (LossyDisk(disk.files), *(disk.after_crash(random.Random(seed)) for seed in seeds)):
            found, _ = opened(left)
            assert found == sent[: len(found)]
            lost += max(0, synced - len(found))
            again, _ = opened(written(sent[len(found) :], disk=left))
            lost += again != sent
