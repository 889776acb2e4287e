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
    """Counts by partition and result, and the first window that can be compared (microseconds)."""

    counts: dict[int, dict[str, int]] = field(default_factory=dict)
    floor: int = 0


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
            first: int | None = None
            async for records in log.read(consumer, partition, end, advance):
                for one in oracle.judge(records):
                    spill.add(one)
                    if first is None:
                        first = one.start
                        # Retention has taken the records before: earlier windows cannot be computed any more.
                        done.floor = max(done.floor, first + width) if records[0].offset > 0 else done.floor
            await _settle_late(settings, consumer, partition, oracle, spill)
            done.counts[partition.partition] = dict(oracle.counts)
    return done


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
