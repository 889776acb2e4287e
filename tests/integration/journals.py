"""What the journal of a running `up` has on the disk."""

from __future__ import annotations

import asyncio
from collections import Counter

from schemas.topics import RECEIPTS
from tillstream.local.journal import segment


def journaled(settings) -> Counter:
    """How many messages of `pos.receipts` each partition has there; read beside the process that writes them."""
    found = Counter()
    for file in sorted((settings.data_dir / "broker" / "journal").glob("*.journal")):
        for _, block in segment.scan(file.read_bytes(), last=True).blocks:
            for row in block.rows:
                if row.topic == settings.topic_prefix + RECEIPTS:
                    found[row.partition] += row.end - row.begin
    return found


async def until_journaled(settings, many):
    """Return once the journal has so many messages of `pos.receipts`: nobody tells of it."""
    async with asyncio.timeout(30):
        while journaled(settings).total() < many:  # noqa: ASYNC110  # see above
            await asyncio.sleep(0.05)
