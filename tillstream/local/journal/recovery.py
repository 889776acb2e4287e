"""Read a journal's folder: check every byte of it, cut what a crash left half written, refuse what was damaged."""

from __future__ import annotations

import logging
import secrets
from collections.abc import Iterator
from dataclasses import dataclass, field

from schemas.errors import Stop
from tillstream.local.journal import segment
from tillstream.local.journal.block import Block
from tillstream.local.journal.disk import Disk
from tillstream.local.journal.segment import Damage, Identity

log = logging.getLogger(__name__)

# Topic and partition.
Place = tuple[str, int]


@dataclass(slots=True)
class Recovered:
    """A journal as it is on the disk, whole.

    `segments` are file names; `size` is where the last one ends, in bytes. `ends` says for each partition which
    offset comes next; `records` counts all, `unpacked` are the bytes of their batches, as a broker holds them.
    """

    identity: Identity
    segments: list[str] = field(default_factory=list)
    size: int = 0
    next_block: int = 1
    ends: dict[Place, int] = field(default_factory=dict)
    records: int = 0
    unpacked: int = 0

    def take(self, block: Block) -> str:
        """Count a block; what is wrong where its offsets do not go on from those before, else nothing."""
        for row in block.rows:
            place = (row.topic, row.partition)
            if row.begin != (known := self.ends.get(place, 0)):
                return f"{row.topic}, partition {row.partition}, goes on at offset {row.begin}, not {known}"
            self.ends[place] = row.end
            self.records += row.end - row.begin
        self.next_block = block.number + 1
        self.unpacked += block.unpacked
        return ""


def recover(disk: Disk, prefix: str, partitions: int) -> Recovered:
    """Check a journal and cut its torn end; a new one's identity where there is none.

    Raises Stop, with the file and the byte, where something is damaged, or where the settings are not those by
    which the journal's topics were made. OSError is the caller's.
    """
    found = Recovered(Identity(secrets.token_hex(8), prefix, partitions))
    names = [name for name in disk.names() if segment.number_of(name) is not None]
    for number, name in enumerate(names, 1):
        data = disk.read(name)
        try:
            end = _read(data, name, number, found, last=number == len(names))
        except Damage as damage:
            raise Stop(
                f"The journal of the embedded broker is damaged: {disk.where(damage.file or name)}, byte "
                f"{damage.position}: {damage.reason}.",
                "Bring the file back from a backup. Without one the receipts from there on are gone: set this segment "
                "and all later ones aside to begin again with what stands before (see docs/operations.md).",
            ) from None
        if end < len(data):
            _cut(disk, name, end, len(data))
        if end:
            found.segments.append(name)
            found.size = end
    if found.segments:
        _check_settings(found.identity, prefix, partitions)
        disk.sync(found.segments[-1])
    return found


def blocks(disk: Disk, recovered: Recovered) -> Iterator[Block]:
    """Every block with batches, in order. Only after `recover`, which has checked them."""
    for name in recovered.segments:
        for _, block in segment.scan(disk.read(name), last=name == recovered.segments[-1]).blocks:
            if block.rows:
                yield block


def _read(data: bytes, name: str, number: int, found: Recovered, *, last: bool) -> int:
    """Count a segment's blocks into `found`, and give where they end: 0 where not even its head was written."""
    if segment.number_of(name) != number:
        raise Damage(0, f"the segment before it, {segment.name_of(number)}, is missing")
    scanned = segment.scan(data, last=last)
    if scanned.head is None:
        return 0
    if scanned.head.number != number:
        raise Damage(0, f"it is segment {scanned.head.number}, under another one's name")
    if number == 1:
        found.identity = scanned.head.identity
    elif scanned.head.identity != found.identity:
        raise Damage(0, "it belongs to another journal")
    if (first := scanned.head.first_block) != found.next_block:
        reason = f"block {found.next_block} is missing, and {name} goes on with block {first}"
        raise Damage(found.size, reason, segment.name_of(max(1, number - 1)))
    for position, block in scanned.blocks:
        if reason := found.take(block):
            raise Damage(position, reason)
    return scanned.end


def _check_settings(identity: Identity, prefix: str, partitions: int) -> None:
    for name, wanted, had in (
        ("TILLSTREAM_PARTITIONS", str(partitions), str(identity.partitions)),
        ("TILLSTREAM_TOPIC_PREFIX", prefix, identity.prefix),
    ):
        if wanted != had:
            raise Stop(
                f"{name} is {wanted or 'empty'}, but the journal in this data folder was begun with "
                f"{had or 'an empty one'}.",
                f"Put back {name}={had}, or choose another folder with TILLSTREAM_DATA_DIR or --data-dir.",
            )


def _cut(disk: Disk, name: str, end: int, size: int) -> None:
    """Cut a file to what is whole, and remove it where nothing is."""
    log.warning("%s: the last %d bytes were not whole when it was stopped, and are cut", disk.where(name), size - end)
    if end:
        disk.truncate(name, end)
        disk.sync(name)
    else:
        disk.remove(name)
        disk.sync_folder()
