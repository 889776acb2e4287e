"""Reads the whole log once and judges every message; late ones are settled by a second look where there are any."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from aiokafka import TopicPartition

from tillstream.reconcile import log
from tillstream.reconcile.oracle import FirstCopies, PartitionOracle
from tillstream.reconcile.spill import Spill
from tillstream.settings import Settings


@dataclass(slots=True)
class Recomputed:
    """Counts by partition and result, what was paid by partition, the first window that can be compared.

    `paid` in ten-thousandths, `floor` in microseconds. `cut` are the partitions whose beginning retention has taken:
    how their messages were judged depends on records that are gone, so only their windows from `floor` on count.
    """

    counts: dict[int, dict[str, int]] = field(default_factory=dict)
    paid: dict[int, int] = field(default_factory=dict)
    floor: int = 0
    cut: set[int] = field(default_factory=set)


async def recompute(
    settings: Settings,
    width: int,
    grace: int,
    ends: dict[TopicPartition, int],
    spill: Spill,
    advance: Callable[[int], Any],
) -> Recomputed:
    """Fill `spill` with what counts; widths in microseconds, `ends` exclusive."""
    done = Recomputed()
    async with log.reader(settings) as consumer:
        for partition, end in ends.items():
            oracle = PartitionOracle(width, grace, settings.max_skew_us)
            begun = False
            async for records in log.read(consumer, partition, end, advance):
                if records and not begun:
                    begun = True
                    if records[0].offset > 0:
                        done.cut.add(partition.partition)
                        done.floor = max(done.floor, floor_of(records[0].timestamp, width, settings.max_skew_us))
                for one in oracle.judge(records):
                    spill.add(one)
            await _settle_late(settings, consumer, partition, oracle, spill)
            done.counts[partition.partition] = dict(oracle.counts)
            done.paid[partition.partition] = oracle.paid
    return done


def floor_of(timestamp_ms: int, width: int, max_skew: int) -> int:
    """Start of the first window in which no record before the first retained one can count; microseconds.

    `timestamp_ms` is that record's Kafka timestamp. Whatever came before it was refused if it claimed a time more
    than `max_skew` beyond its own timestamp, however late other stores or tills were.
    """
    return (timestamp_ms * 1000 + max_skew) // width * width + width


async def _settle_late(
    settings: Settings, consumer: Any, partition: TopicPartition, oracle: PartitionOracle, spill: Spill
) -> None:
    if not oracle.late:
        return
    copies = FirstCopies(oracle.late, settings.max_skew_us)
    async for records in log.read(consumer, partition, max(oracle.late) + 1, lambda _: None):
        copies.look(records)
    for one in copies.counting():
        spill.add(one)
