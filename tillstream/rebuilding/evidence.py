"""What an epoch has counted, held against the log as it is now: by its PartitionRecords and their fingerprints."""

from __future__ import annotations

from typing import NamedTuple

from aiokafka import TopicPartition

from schemas import topics
from streams.log_reader import look
from streams.records import PartitionRecord
from streams.restore import Restore
from streams.same_log import Judgement, LogView, judge
from tillstream import kafka
from tillstream.reconcile import log
from tillstream.settings import Settings


class Evidence(NamedTuple):
    """One partition: what was counted of it (None: nothing), what the log shows there, and what that means."""

    record: PartitionRecord | None
    view: LogView
    judgement: Judgement


async def gather(settings: Settings, epoch: int) -> dict[int, Evidence]:
    """Evidence by partition; the changelog of the epoch and the topics must be there."""
    records = await _partition_records(settings, epoch)
    applied = {partition: record.applied if record else -1 for partition, record in records.items()}
    source = settings.topic_prefix + topics.RECEIPTS
    views = await look(kafka.client_options(settings), source, {at: max(0, last) for at, last in applied.items()})
    return {
        partition: Evidence(
            record, views[partition], judge(applied[partition], record.fingerprint if record else 0, views[partition])
        )
        for partition, record in records.items()
    }


async def _partition_records(settings: Settings, epoch: int) -> dict[int, PartitionRecord | None]:
    """The newest PartitionRecord of each partition, from the epoch's changelog."""
    changelog = topics.changelog_topic(settings.topic_prefix, epoch)
    ends = await log.ends_of(settings, changelog)
    found: dict[int, PartitionRecord | None] = {}
    async with log.reader(settings) as consumer:
        for number in range(settings.partitions):
            part, restore = TopicPartition(changelog, number), Restore()
            async for records in log.read(consumer, part, ends[part], lambda _: None):
                restore.take_partitions((record.key, record.value) for record in records)
            found[number] = restore.partition
    return found
