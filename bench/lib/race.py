"""The stopwatch: one program, from having its partitions to its commit of every partition's last offset.

Start-up and the joining of the group are left out; whatever must be durable before a commit is in. Each contestant is
a process of its own, on a broker that was started for it and preloaded before it starts.
"""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from aiokafka import TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import GroupCoordinatorNotAvailableError

from lib.log import ends_of
from lib.program import Program
from schemas import topics
from tillstream.local.launch import settings_environment
from tillstream.settings import Settings
from tillstream.waiting import admin

LONGEST_RUN = 900.0
POLL = 0.05


@dataclass(frozen=True, slots=True)
class Run:
    """One contestant's run: how many lines it took, in how many seconds, CPU and memory (bytes) at the end.

    `differences` are totals that were read back and are not what the receipts add up to.
    """

    lines: int
    seconds: float
    cpu_seconds: float
    memory: int
    differences: int = 0

    @property
    def rate(self) -> float:
        """Lines a second."""
        return self.lines / self.seconds


class Contestant:
    """A program that consumes `pos.receipts` in `group`; ready once `is_ready` says so of a line of its output."""

    def __init__(self, argv: list[str], environment: dict[str, str], group: str, is_ready: Callable[[str], bool]):
        self._argv = argv
        self._environment = environment
        self._group = group
        self._is_ready = is_ready

    async def race(self, settings: Settings, lines: int) -> Run:
        """Run it until the broker has its commit of everything."""
        wanted = await ends_to_commit(settings)
        with Program(self._argv, self._environment, self._is_ready) as program:
            seconds = await until_committed(settings, self._group, [program], wanted)
            return Run(lines, seconds, program.cpu_seconds(), program.memory())


async def ends_to_commit(settings: Settings) -> dict[TopicPartition, int]:
    """The end of each partition of `pos.receipts` that holds anything."""
    ends = await ends_of(settings, settings.topic_prefix + topics.RECEIPTS)
    return {part: end for part, end in ends.items() if end}


async def until_committed(
    settings: Settings, group: str, programs: Sequence[Program], wanted: dict[TopicPartition, int]
) -> float:
    """Seconds from the first program being ready until their group has committed all that is wanted."""
    deadline = time.monotonic() + LONGEST_RUN
    async with admin(settings) as client:
        while time.monotonic() < deadline:
            for program in programs:
                program.check()
            begun = [program.begun for program in programs if program.begun is not None]
            if begun:
                committed = await committed_by(client, group, list(wanted))
                if all(committed.get(part, -1) >= end for part, end in wanted.items()):
                    return time.monotonic() - min(begun)
            await asyncio.sleep(POLL)  # the broker has no way to tell us of its own accord
    raise SystemExit(f"Not finished in {LONGEST_RUN:.0f} s: {programs[0].last_words()}")


async def committed_by(
    client: AIOKafkaAdminClient, group: str, parts: list[TopicPartition]
) -> dict[TopicPartition, int]:
    """Offsets that a group has committed, of the partitions where it has."""
    try:
        found = await client.list_consumer_group_offsets(group, partitions=parts)
    except GroupCoordinatorNotAvailableError:  # the first group of a broker: it still makes its topic of offsets
        return {}
    return {part: one.offset for part, one in found.items()}


def tillstream_worker(settings: Settings) -> Contestant:
    """One worker, as `tillstream worker` runs it."""
    return Contestant(
        [sys.executable, "-m", "tillstream", "worker"],
        settings_environment(settings),
        topics.group_id(settings.topic_prefix, topics.FIRST_EPOCH),
        lambda line: "folding partitions" in line and "none yet" not in line,
    )
