"""Where a start goes on from: the newest snapshot in `restock.state` that is whole, and of this feed."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from typing import Any

from streams.log_reader import look, read_through
from streams.restock.rebuilt import rebuilt
from streams.restock.snapshot import Damaged, Snapshots
from streams.restock.state import RestockState
from streams.restock_part import RestockPart
from streams.same_log import judge
from streams.turns import Turns

log = logging.getLogger(__name__)


async def read_snapshots(options: Mapping[str, Any], topics: Mapping[str, str], parts: Iterable[RestockPart]) -> None:
    """Give each part the state of its snapshot; one without goes on from what it has, the feed's beginning."""
    waiting = {part.partition: part for part in parts}
    found = {partition: Snapshots() for partition in waiting}
    await read_through(options, topics["snapshots"], waiting, lambda partition, records: found[partition].take(records))
    for partition, part in waiting.items():
        snapshots = found.pop(partition)  # each is let go once it is used
        state = await _newest(options, topics["feed"], part, snapshots)
        part.go_on_from(state, snapshots.keys())


async def _newest(
    options: Mapping[str, Any], feed: str, part: RestockPart, snapshots: Snapshots
) -> RestockState | None:
    """The newest state that is whole, None where none is."""
    windows, partition = part.state.windows, part.partition
    heads = snapshots.heads(windows)
    for head in heads:
        view = (await look(options, feed, {partition: head.applied}))[partition]
        if judge(head.applied, head.fingerprint, view) != "same":
            log.warning("restock, partition %d: a snapshot is of another feed, up to %d", partition, head.applied)
            continue
        state, turns = RestockState(windows, partition), Turns()
        try:
            for state in rebuilt(head, snapshots.sections(head), windows, partition):  # noqa: B007  # the last has all
                await turns.give()
        except Damaged as fault:
            # Of a writer that froze and woke up, whose successor took its sections away; or damaged indeed.
            log.warning("restock, partition %d: the snapshot of %d is passed over: %s", partition, head.applied, fault)
            continue
        return state
    if snapshots.keys():
        log.warning("restock, partition %d: no snapshot can be used: reading the feed from its beginning", partition)
    return None
