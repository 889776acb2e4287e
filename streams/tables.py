"""The Faust table that holds the worker's state: one mapping per partition, restored from chunks.

Faust assigns, reads the changelog back and calls; what stands in a record and which one holds is decided in
streams.restore. Faust's recovery swallows errors and can lose a delivered event when a rebalance clears its
queues, so the table checks that the chunks follow each other and reach the end; a hole stops the worker, and
its next start reads everything again. Nor does its recovery notice at once that another rebalance has begun: it may
still say that it is complete after the table has dropped what was read. So each completion is told with its generation.

Faust reads to where the changelog ended when it began. A frozen owner may write after that, and the cleaner then remove
records that its ones supersede before they were read here; so the rest is read too, to the end that is found then.
"""

from __future__ import annotations

import secrets
from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterable, Mapping
from contextvars import ContextVar
from typing import Any

import faust
from faust.tables.manager import TableManager
from faust.tables.recovery import Recovery
from faust.types import TP

from schemas.errors import Again, Stop
from streams.chunks import AFTER_SEEK, Chunk
from streams.restore import Restore
from streams.state import PartitionState
from streams.windows import Windows

# The generation whose restore is complete, for the task that Faust tells the table in.
_complete: ContextVar[int] = ContextVar("_complete", default=0)


class StateRecovery(Recovery):
    """Faust's recovery; lets the table know which generation of the group a completed one belongs to."""

    async def on_recovery_completed(self, generation_id: int = 0) -> None:
        """Tell the table."""
        _complete.set(generation_id)
        await super().on_recovery_completed(generation_id)


class StateTables(TableManager):
    """Faust's tables, with that recovery."""

    _recovery: StateRecovery | None = None

    @property
    def recovery(self) -> StateRecovery:
        """The recovery service, made when it is first asked for."""
        if self._recovery is None:
            self._recovery = StateRecovery(self.app, self, beacon=self.beacon, loop=self.loop)
        return self._recovery

    async def on_start(self) -> None:
        """As Faust's, without its sleep of a second before it.

        It gave agents and tables of modules that are still being imported the time to come. Ours are all there when
        the app starts, and Faust's conductor waits for both by events before it subscribes.
        """
        if not self.should_stop:
            await self._update_channels()
            await self.recovery.start()


class StateTable(faust.Table):
    """Restores each assigned partition's state and hands it to `on_restored`, all at once."""

    def setup(
        self,
        epoch: int,
        windows: Windows,
        revokes: Callable[[], int],
        read_on: Callable[[Mapping[int, int]], Awaitable[Mapping[int, list[Any]]]],
        on_restored: Callable[[list[PartitionState], int], Awaitable[None]],
    ) -> None:
        """Say what to build, and who gets it once every assigned partition is restored.

        `read_on` reads each partition of the changelog from an offset to its end. `on_restored` is told after how many
        revokes the states were assigned: another one may have come since.
        """
        self._epoch = epoch
        self._windows = windows
        self._count_revokes = revokes
        self._read_on = read_on
        self._on_restored = on_restored
        self._revokes = 0
        self._generation = 0
        self._forget()

    def _forget(self) -> None:
        self._restores: dict[int, Restore] = defaultdict(Restore)
        self._read: dict[int, int] = {}
        self._fault: Exception | None = None

    async def on_rebalance(
        self, assigned: set[TP], revoked: set[TP], newly_assigned: set[TP], generation_id: int = 0
    ) -> None:
        """Drop everything: state is restored anew at each assignment, also of partitions that stay."""
        await super().on_rebalance(assigned, revoked, newly_assigned, generation_id)
        self._forget()
        self._generation = generation_id
        self._revokes = self._count_revokes()
        self.app.tables.recovery.buffers.clear()
        self.app.tables.recovery.active_offsets.clear()

    def apply_changelog_batch(self, batch: Iterable[Any]) -> None:
        """Take chunks of the changelog; an error is kept for on_recovery_completed, since Faust swallows it."""
        try:
            for event in batch:
                self._take(event.value)
        except Exception as fault:  # noqa: BLE001  # nothing may be lost here, whatever it is
            self._fault = self._fault or fault

    def _take(self, chunk: Chunk) -> None:
        partition = chunk.tp.partition
        expected = self._read.get(partition, AFTER_SEEK)
        if chunk.follows != expected:
            raise Again(
                f"The changelog of partition {partition} was not read whole: a part that ends at {chunk.last}"
                f" follows {chunk.follows}, not {expected}."
            )
        self._restores[partition].take((record.key, record.value) for record in chunk.records)
        self._read[partition] = chunk.last

    async def on_recovery_completed(self, active_tps: set[TP], standby_tps: set[TP]) -> None:
        """Check that all was read, build the states, hand them over."""
        await super().on_recovery_completed(active_tps, standby_tps)
        if _complete.get() != self._generation:
            return  # a rebalance has dropped what it read; its own restore comes
        revokes = self._revokes
        try:
            for tp in active_tps:
                self._check_read(tp)
            rest = await self._read_on({tp.partition: self._end(tp) + 1 for tp in active_tps}) if active_tps else {}
            if revokes != self._count_revokes():
                return  # all of it is restored anew
            for partition, records in rest.items():
                self._restores[partition].take((record.key, record.value) for record in records)
            await self._on_restored([self._restored(tp) for tp in sorted(active_tps)], revokes)
        except Exception as fault:  # noqa: BLE001  # Faust would swallow it
            await self.app.crash(fault)

    def _end(self, tp: TP) -> int:
        """Offset of the last record that was read, or of the last that there was to read."""
        return max(self._read.get(tp.partition, -1), int(self.app.tables.recovery.active_highwaters[tp]))

    def _check_read(self, tp: TP) -> None:
        if self._fault is not None:
            raise self._fault
        end = self.app.tables.recovery.active_highwaters[tp]
        if self._read.get(tp.partition, -1) < end:
            raise Again(
                f"The changelog of partition {tp.partition} was read up to {self._read.get(tp.partition, -1)},"
                f" not to its end {end}."
            )

    def _restored(self, tp: TP) -> PartitionState:
        restore = self._restores.pop(tp.partition, None) or Restore()
        record = restore.partition
        if record is not None and (record.window, record.grace) != (self._windows.width, self._windows.grace):
            raise Stop(
                f"This epoch was begun with a window of {record.window // 1_000_000} s and a grace of"
                f" {record.grace // 1_000_000} s.",
                "Put TILLSTREAM_WINDOW and TILLSTREAM_GRACE back to these.",
            )
        # At random, so that no two owners of a partition ever share a changelog key.
        return restore.finish(self._epoch, tp.partition, secrets.token_hex(6), self._windows)
