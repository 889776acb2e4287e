"""What a worker has for each of its partitions: the task that folds it, and the one that follows its restock feed."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from typing import Any

from aiokafka.errors import KafkaError
from faust.types import TP

from streams.agents import PartitionTask
from streams.flush import Operation, Role
from streams.outlet import KafkaOutlet, ended, renewing
from streams.restock.state import RestockState
from streams.restock_part import RestockPart
from streams.snapshots import SnapshotWriter
from streams.state import PartitionState
from streams.tracking import Tracking
from streams.transport import ChunkConsumer

log = logging.getLogger(__name__)


class ConsumedPartition:
    """One partition of the source, through the app's consumer."""

    def __init__(self, consumer: ChunkConsumer, tp: TP) -> None:
        self._consumer = consumer
        self._tp = tp

    async def seek(self, offset: int) -> int:
        """Read on from an offset; returns how often the partition was sought by then."""
        return await self._consumer.seek(self._tp, offset)

    async def first(self) -> int:
        """Give the first offset that the log still has; waits for as long as Kafka is away."""
        while True:
            try:
                return int((await self._consumer.earliest_offsets(self._tp))[self._tp])
            except KafkaError as fault:
                log.warning("Kafka does not say where its log begins (%s): asking again", type(fault).__name__)
            await asyncio.sleep(1)

    def accepted(self) -> int:
        """Give the largest offset whose commit was accepted in this assignment, 0 for none yet."""
        return self._consumer.accepted.get(self._tp, 0)


class Parts:
    """Makes them, for one app. `log` numbers the life of the receipts' topic, None where restock is told nothing."""

    def __init__(
        self,
        app: Any,
        topics: Mapping[Role, str],
        receipts: str,
        stock: str,
        max_skew: int,
        log: int | None,
        performed: Callable[[Operation], None] | None,
    ) -> None:
        self._app = app
        self._topics = topics
        self._receipts, self._stock = receipts, stock
        self._max_skew = max_skew
        self._log = log
        self._performed = performed
        self._renew = renewing(lambda: app.producer)

    def _outlet(self) -> KafkaOutlet:
        client = self._app.producer._ensure_producer  # noqa: SLF001  # the batch interface is aiokafka's own
        return KafkaOutlet(client, self._topics, self._renew, ended(lambda: self._app.producer))

    def task(self, state: PartitionState) -> PartitionTask:
        """The one that folds a partition."""
        consumed = ConsumedPartition(self._app.consumer, TP(self._receipts, state.partition))
        tracking = None if self._log is None else Tracking(self._log, missed=not state.told)
        return PartitionTask(state, self._receipts, self._max_skew, self._outlet(), consumed, self._performed, tracking)

    def restock(self, task: PartitionTask) -> list[RestockPart]:
        """The one that follows its restock feed, where there is one."""
        if task.tracking is None:
            return []
        state, wake = RestockState(task.state.windows, task.state.partition), task.something_to_open
        partition = task.state.partition
        # With an outlet of its own: a round goes on while alerts are sent, and either waits for its own only.
        snapshots = SnapshotWriter(partition, self._outlet())
        return [
            RestockPart(
                partition,
                state,
                task.tracking,
                self._outlet(),
                self._stock,
                self._max_skew,
                snapshots,
                wake,
                task.restock_is_ready,
            )
        ]
