"""Tells a log that lost its end from one that was recreated: by whether the ledger knows its first receipts."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from aiokafka import TopicPartition

from schemas import topics
from schemas.admission import admit
from schemas.errors import Refused
from tillstream import ch
from tillstream.rebuilding.evidence import Evidence
from tillstream.reconcile import log
from tillstream.settings import Settings

_LOOK_AT = 200
_KNOWN = """
SELECT offset, store_id, transaction_id, toUnixTimestamp64Milli(published_at)
FROM receipts
WHERE epoch = {epoch:UInt32} AND partition = {partition:UInt16} AND offset < {end:UInt64}
"""


async def still_the_counted_log(settings: Settings, epoch: int, found: Mapping[int, Evidence]) -> list[int]:
    """Partitions whose first receipts stand in the epoch's ledger at the same offsets, published at the same time."""
    source = settings.topic_prefix + topics.RECEIPTS
    same = []
    client = await asyncio.to_thread(ch.connect, settings)
    try:
        async with log.reader(settings) as consumer:
            for partition, one in found.items():
                end = min(one.view.end, one.view.first + _LOOK_AT)
                names: dict[int, tuple[str, str, int]] = {}
                async for records in log.read(consumer, TopicPartition(source, partition), end, lambda _: None):
                    for record in records:
                        try:
                            receipt = admit(record.key, record.value, record.timestamp, settings.max_skew_us)
                        except Refused:
                            continue
                        names[record.offset] = (receipt.store_id, receipt.transaction_id, record.timestamp)
                rows = await asyncio.to_thread(
                    client.query, _KNOWN, {"epoch": epoch, "partition": partition, "end": end}
                )
                if any(names.get(offset) == tuple(name) for offset, *name in rows.result_rows):
                    same.append(partition)
    finally:
        client.close()
    return same
