"""Which epochs a journal knows: rows of another one come from a message that was lost, whatever their offsets."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec
from aiokafka.record.default_records import DefaultRecordBatch

from schemas import epoch
from tillstream.local.journal.block import Block


def known_epochs(topic: str, blocks: Iterable[Block]) -> set[int]:
    """Numbers of the epochs of which the journal holds a message; what cannot be read is for the roles to say."""
    found = set()
    for block in blocks:
        if not any(row.topic == topic for row in block.rows):
            continue
        for batch in block.batches():
            if batch.topic == topic:
                for record in DefaultRecordBatch(batch.data):
                    try:
                        found.add(epoch.decode(record.value or b"").epoch)
                    except msgspec.MsgspecError:
                        continue
    return found
