"""Write blocks at a journal's end; what it says is durable, a crash of the machine cannot take back."""

from __future__ import annotations

from collections.abc import Sequence

from tillstream.local.journal import block, segment
from tillstream.local.journal.batch import Batch
from tillstream.local.journal.disk import Disk
from tillstream.local.journal.recovery import Place, Recovered

SEGMENT_BYTES = 64 * 1024 * 1024


class Writer:
    """Goes on with what `recover` found. All methods raise OSError; after it comes `recede`, before anything else.

    `ends` says for each partition which offset is written next, `durable_ends` up to which all is on the disk;
    `unpacked` counts the bytes of all batches, as a broker holds them.
    """

    def __init__(self, disk: Disk, recovered: Recovered, segment_bytes: int = SEGMENT_BYTES) -> None:
        self._disk = disk
        self._identity = recovered.identity
        self._largest = segment_bytes
        self._number = len(recovered.segments)
        self._size, self._next_block = recovered.size, recovered.next_block
        self.ends: dict[Place, int] = dict(recovered.ends)
        self.unpacked = recovered.unpacked
        self._settle()

    def begin(self) -> None:
        """Make the first segment, so that the journal's identity is on the disk; nothing where there is one."""
        if self._number == 0:
            self._next_segment()

    def append(self, batches: Sequence[Batch]) -> None:
        """Write batches, each of which must go on where its partition ends. Not durable before `sync`."""
        if self._number == 0 or self._size >= self._largest:
            self._next_segment()
        for one in batches:
            place = (one.topic, one.partition)
            if one.begin != (known := self.ends.get(place, 0)):
                raise ValueError(f"{one.topic}, partition {one.partition}: offset {one.begin} follows {known}")
            self.ends[place] = one.end
            self.unpacked += len(one.data)
        self._write(batches)
        self.pending = True

    def sync(self) -> None:
        """Make durable what was written, and leave a mark that it is."""
        if self.pending:
            self._disk.sync(self._name())
            self._settle()
            # What a crash leaves of the mark does not matter: without it a damaged block is taken for a torn one.
            self._write(())

    def prove(self) -> None:
        """Write and sync a mark: what returns from here can be written."""
        self._write(())
        self._disk.sync(self._name())
        self._settle()

    def recede(self) -> None:
        """Cut everything that is not durable, so that it can be read from the broker and written again.

        A failed sync tells nothing of what is on the disk, and the next one would not either: so nothing of what it
        was for is kept.
        """
        if self._number:
            self._disk.truncate(self._name(), self._durable_size)
            self._disk.sync(self._name())
        self._size, self._next_block = self._durable_size, self._durable_block
        self.ends, self.unpacked = dict(self.durable_ends), self._durable_unpacked
        self.pending = False

    def _settle(self) -> None:
        self._durable_size, self._durable_block = self._size, self._next_block
        self.durable_ends, self._durable_unpacked = dict(self.ends), self.unpacked
        self.pending = False

    def _write(self, batches: Sequence[Batch]) -> None:
        data = block.encode(self._next_block, self._durable_size, batches)
        self._disk.append(self._name(), data)
        self._size += len(data)
        self._next_block += 1

    def _next_segment(self) -> None:
        """Go on in a new file, once all of the last one is durable, the mark at its end too."""
        if self._number:
            self._disk.sync(self._name())
            self._settle()
        head = segment.Head(self._identity, self._number + 1, self._next_block)
        name = segment.name_of(head.number)
        if name in self._disk.names():  # by an attempt that failed
            self._disk.remove(name)
        self._disk.create(name)
        data = segment.encode_head(head)
        self._disk.append(name, data)
        self._disk.sync(name)
        self._disk.sync_folder()
        self._number = head.number
        self._size = len(data)
        self._settle()

    def _name(self) -> str:
        return segment.name_of(self._number)
