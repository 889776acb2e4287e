"""What there is in a history: Kafka, ClickHouse, epochs, workers, sinks."""

from __future__ import annotations

from collections import Counter

from tests.simulation.clickhouse import MemoryClickHouse
from tests.simulation.oracle import Widths
from tests.simulation.receipts import Receipt
from tests.simulation.sink import Member, Sink
from tests.simulation.worker import Topics, Worker
from tillstream.epochs import KnownEpoch, counting

PARTITIONS = 2


class Stage:
    """What the events of a history act on. Workers are found by (epoch, partition).

    `seen` counts what happened, for the summary of a run; `told` gets a sentence an event where it is a list.
    """

    def __init__(self, told: list[str] | None = None) -> None:
        self.kafka = Topics(PARTITIONS)
        self.clickhouse = MemoryClickHouse()
        self.widths: dict[int, Widths] = {}
        self.known: dict[int, KnownEpoch] = {}
        self.meant: list[list[tuple[int, Receipt]]] = [[] for _ in range(PARTITIONS)]
        self.owners: dict[tuple[int, int], Worker] = {}
        self.process: dict[tuple[int, int], int] = {}
        self.frozen: list[Worker] = []
        self.sinks: list[Sink] = []
        self.frozen_sinks: list[Member] = []
        self.drawn = 0
        self.seen: Counter[str] = Counter()
        self.told = told

    def tell(self, text: str) -> None:
        if self.told is not None:
            self.told.append(text)

    def live(self) -> list[int]:
        """The epochs that count."""
        return sorted(entry.epoch.epoch for entry in counting(self.known))

    def computed(self) -> list[int]:
        """The epochs that workers compute."""
        return self.live() + [entry.epoch.epoch for entry in self.known.values() if entry.epoch.state == "building"]

    def place(self, epoch: int, partition: int) -> tuple[int, int]:
        computed = self.computed()
        return computed[epoch % len(computed)], partition % PARTITIONS
