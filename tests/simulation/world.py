"""Everything at once: tills, Kafka, workers, sinks, ClickHouse; what happens to them is one method an event.

An event that finds nothing to act on does nothing, so that any of them can be left out of a history, as shrinking does.
Numbers in events are taken modulo what there is.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from schemas import topics
from sinks import epochs, late, rejected, sales
from tests.simulation.comparison import differences, expected_of
from tests.simulation.delivery import Delivery
from tests.simulation.epochs import Epochs
from tests.simulation.oracle import Expected, Widths
from tests.simulation.phrases import named, shown
from tests.simulation.receipts import Line, Receipt, record
from tests.simulation.sink import Sink, without_threads
from tests.simulation.stage import PARTITIONS
from tests.simulation.workers import Workers

# More steps than any history needs: a worker that seeks for ever does not hang the run.
ENDLESS = 5_000
# After so many of the newest receipts of a partition another one is sold at the end, at the same minute.
LAST = 6
SKUS = ("a", "b", "c")

Event = tuple[Any, ...]


class Difference(AssertionError):
    """What came out is not what the oracle says."""


class History(NamedTuple):
    """A seeded run: the first epoch's widths, then what happens."""

    widths: Widths
    events: Sequence[Event]


class World(Epochs, Workers, Delivery):
    """A history's world: its first epoch is live from the beginning."""

    def __init__(self, widths: Widths, told: list[str] | None = None) -> None:
        super().__init__(told)
        outputs = self.kafka.outputs
        prepare = {
            topics.WINDOWS: sales.prepare,
            topics.LATE: late.prepare,
            topics.REJECTED: rejected.prepare,
            topics.EPOCHS: epochs.prepare,
        }
        logs = [*outputs["windows"], *outputs["late"], *outputs["rejected"], self.kafka.epochs]
        self.sinks.append(Sink("clickhouse", logs, prepare, self.clickhouse))
        self.begin_epoch(widths, "live")

    # Tills.

    def publish(self, partition: int, receipt: Receipt, gap: int = 0) -> None:
        offset = self.kafka.receipts[partition].append(*record(receipt), gap=gap)
        self.meant[partition].append((offset, receipt))
        self.seen["receipts"] += 1
        self.tell(f"partition {partition}, offset {offset}: {shown(receipt)}")

    # The end.

    def drain(self) -> None:
        """Whoever owns a partition reads to its end, and the sinks write all of it."""
        for epoch in self.computed():
            for partition in range(PARTITIONS):
                place = (epoch, partition)
                worker = self.owners.get(place) or self.assign(*place, self.process.get(place, 0))
                for _ in range(ENDLESS):
                    if not worker.step(8):
                        break
                else:
                    raise Difference(f"{named(worker)} comes to no end")
                worker.commit(answered=True)
        for sink in self.sinks:
            while sink.member.step():
                pass

    def settle(self) -> None:
        """Frozen workers and sinks go on to their ends, then every partition is restored anew, and sells once more.

        What a restore lacks shows in the rows of the windows that it lacks it of.
        """
        for worker in self.frozen:
            if worker.stopped:
                worker.land(len(worker.buffer))
            for _ in range(ENDLESS):
                if worker.stopped or not worker.step(4):
                    break
        for member in self.frozen_sinks:
            while member.step():
                pass
        self.rebalance(0)
        for partition, log in enumerate(self.meant):
            sold = sorted({(receipt.store, receipt.minute) for _, receipt in log[-LAST:] if not receipt.fault})
            for number, (store, minute) in enumerate(sold):
                self.publish(partition, Receipt(store, f"last{number}", minute, tuple(map(Line, SKUS, "111", "111"))))

    def check(self) -> None:
        """Drain, then compare every epoch's rows with the oracle's; raises Difference."""
        self.drain()
        live = self.live()
        found = []
        if self.clickhouse.live_epochs() != live or len(live) != 1:  # the views would add two up
            found.append(f"live epochs: {self.clickhouse.live_epochs()}, not {live}")
        for epoch in self.computed():
            expected = expected_of(self.meant, self.widths[epoch])
            self._note(expected)
            found += [f"epoch {epoch}: {text}" for text in differences(self.clickhouse, epoch, expected)]
        found += [fault for table in self.clickhouse.tables.values() for fault in table.faults]
        found += self.clickhouse.unreadable
        if found:
            raise Difference("\n".join(found[:12]))
        self.seen["comparisons"] += 1
        self.seen["tombstones"] += self.kafka.tombstones
        self.seen["restored ahead of its PartitionRecord"] += self.kafka.restored_ahead
        self.kafka.tombstones = self.kafka.restored_ahead = 0
        self.tell("everything drained: no difference")

    def _note(self, expected: Expected) -> None:
        for (_, result), many in expected.counts.items():
            self.seen[result] += many
        self.seen["late that count"] += len(expected.late_that_count)


def play(history: History, told: list[str] | None = None) -> World:
    """Run a history to its end and compare; raises Difference, or whatever the product raised."""
    with without_threads():
        world = World(history.widths, told)
        for name, *arguments in history.events:
            getattr(world, name)(*arguments)
        world.settle()
        world.check()
    return world
