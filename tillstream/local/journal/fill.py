"""Publish the journal into a fresh broker: the same batches, in the same order, at the same offsets."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping

from schemas.errors import Stop
from tillstream.local.journal.batch import Batch, merged
from tillstream.local.journal.block import Block
from tillstream.local.journal.link import Link
from tillstream.local.journal.recovery import Place

# So much is under way at a time: enough to keep the broker busy, little enough for memory.
MOST_UNDER_WAY = 64
MOST_BYTES_UNDER_WAY = 32 * 1024 * 1024
# Small batches of a partition are published as one, since a request costs more than its records.
SMALL = 16 * 1024
LARGE = 512 * 1024


def is_fresh(ends: Mapping[Place, int], journal: Mapping[Place, int]) -> bool:
    """Whether a broker holds nothing that the journal does not: it has just been started, or filled in part.

    Raises Stop where each holds what the other does not.
    """
    beyond = {place for place, end in ends.items() if end > journal.get(place, 0)}
    behind = [place for place, end in journal.items() if ends.get(place, 0) < end]
    if beyond and behind:
        topic, partition = behind[0]
        raise Stop(
            f"The embedded broker holds another log than its journal: {topic}, partition {partition}, ends at "
            f"{ends.get(behind[0], 0)} there and at {journal[behind[0]]} here.",
            "Start `tillstream up` again.",
        )
    return not beyond


async def fill(
    link: Link, blocks: Iterable[Block], ends: Mapping[Place, int], on_progress: Callable[[int], None] = lambda _: None
) -> None:
    """Publish all that lies at or beyond the broker's `ends`; `on_progress` is told how many records more are there.

    Raises Stop where the broker puts a batch at another offset than it had.
    """
    under_way: deque[tuple[Batch, asyncio.Future[int]]] = deque()
    size = 0

    async def finish_one() -> int:
        batch, answer = under_way.popleft()
        if (offset := await answer) != batch.begin:
            raise Stop(
                f"The embedded broker put {batch.topic}, partition {batch.partition}, offset {batch.begin}, at "
                f"{offset}: what ClickHouse holds would name other receipts.",
                "Start `tillstream up` again; if it stays so, keep the data folder and open an issue.",
            )
        on_progress(batch.end - batch.begin)
        return len(batch.data)

    try:
        reading = iter(blocks)
        while (found := await asyncio.to_thread(_next, reading, ends)) is not None:
            for batch in found:
                while under_way and (len(under_way) >= MOST_UNDER_WAY or size > MOST_BYTES_UNDER_WAY):
                    size -= await finish_one()
                under_way.append((batch, link.send(batch)))
                size += len(batch.data)
        while under_way:
            await finish_one()
    finally:
        for _, answer in under_way:
            answer.cancel()


def _next(blocks: Iterator[Block], ends: Mapping[Place, int]) -> list[Batch] | None:
    """What the broker lacks of the next block, as it is published; None after the last one."""
    block = next(blocks, None)
    return None if block is None else gathered(one for one in block.batches() if one.end > ends.get(_place(one), 0))


def gathered(batches: Iterable[Batch]) -> list[Batch]:
    """The batches, small ones of a partition that follow each other as one; the order within partitions stays."""
    open_: dict[Place, list[Batch]] = {}
    out = []
    for one in batches:
        place = _place(one)
        waiting = open_.setdefault(place, [])
        if waiting and (len(one.data) > SMALL or sum(len(small.data) for small in waiting) > LARGE):
            out.append(merged(waiting))
            waiting.clear()
        if len(one.data) > SMALL:
            out.append(one)
        else:
            waiting.append(one)
    return out + [merged(waiting) for waiting in open_.values() if waiting]


def _place(batch: Batch) -> Place:
    return batch.topic, batch.partition
