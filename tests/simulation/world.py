"""Everything at once: tills, Kafka, workers, sinks, ClickHouse; what happens to them is one method an event.

An event that finds nothing to act on does nothing, so that any of them can be left out of a history, as shrinking does.
Numbers in events are taken modulo what there is.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any, NamedTuple

from schemas import topics
from schemas.epoch import Epoch
from schemas.epoch import encode as encode_epoch
from sinks import epochs, late, ledger, rejected, sales
from streams.windows import Windows
from tests.simulation.clickhouse import MemoryClickHouse
from tests.simulation.comparison import differences, expected_of
from tests.simulation.oracle import Expected, Widths
from tests.simulation.phrases import landing, named, shown, state_of
from tests.simulation.receipts import MAX_SKEW, MINUTE, Receipt, record
from tests.simulation.sink import Member, Sink, without_threads
from tests.simulation.worker import Topics, Worker

PARTITIONS = 2
# More steps than any history needs: a worker that seeks for ever does not hang the run.
ENDLESS = 5_000

Event = tuple[Any, ...]


class Difference(AssertionError):
    """What came out is not what the oracle says."""


class History(NamedTuple):
    """A seeded run: the first epoch's widths, then what happens."""

    widths: Widths
    events: Sequence[Event]


class World:
    """`seen` counts what happened, for the summary of a run; `told` gets a sentence an event where it is a list."""

    def __init__(self, widths: Widths, told: list[str] | None = None) -> None:
        self.kafka = Topics(PARTITIONS)
        self.clickhouse = MemoryClickHouse()
        self.widths: dict[int, Widths] = {}
        self.states: dict[int, str] = {}
        self.meant: list[list[tuple[int, Receipt]]] = [[] for _ in range(PARTITIONS)]
        self.owners: dict[tuple[int, int], Worker] = {}
        self.process: dict[tuple[int, int], int] = {}
        self.frozen: list[Worker] = []
        self.frozen_sinks: list[Member] = []
        self.seen: Counter[str] = Counter()
        self.told = told
        outputs = self.kafka.outputs
        self.sinks = [
            Sink(
                "clickhouse",
                [*outputs["windows"], *outputs["late"], *outputs["rejected"], self.kafka.epochs],
                {
                    topics.WINDOWS: sales.prepare,
                    topics.LATE: late.prepare,
                    topics.REJECTED: rejected.prepare,
                    topics.EPOCHS: epochs.prepare,
                },
                self.clickhouse,
            )
        ]
        self._drawn = 0
        self._begin_epoch(widths, "live")

    def tell(self, text: str) -> None:
        if self.told is not None:
            self.told.append(text)

    # Epochs.

    def _begin_epoch(self, widths: Widths, state: str) -> None:
        epoch = len(self.widths) + 1
        self.widths[epoch] = widths
        prepare = {topics.RECEIPTS: ledger.make_prepare(epoch, MAX_SKEW, keep_lines=False)}
        self.sinks.append(Sink(f"ledger of epoch {epoch}", self.kafka.receipts, prepare, self.clickhouse))
        self._set_state(epoch, state)

    def _set_state(self, epoch: int, state: Any) -> None:
        self.states[epoch] = state
        window, grace = self.widths[epoch]
        self.kafka.epochs.append(str(epoch).encode(), encode_epoch(Epoch(epoch, state, window * 60, grace * 60)))

    def _computed(self) -> list[int]:
        """The epochs that workers compute."""
        return [epoch for epoch, state in self.states.items() if state in {"live", "building"}]

    def _place(self, epoch: int, partition: int) -> tuple[int, int]:
        computed = self._computed()
        return computed[epoch % len(computed)], partition % PARTITIONS

    def rebuild(self, window: int, grace: int) -> None:
        if "building" not in self.states.values() and len(self.states) < 3:
            self._begin_epoch(Widths(window, grace), "building")
            self.seen["rebuilds"] += 1
            self.tell(f"rebuild: epoch {len(self.states)} begins, window {window} min, grace {grace} min")

    def switch(self) -> None:
        for epoch, state in list(self.states.items()):
            if state == "building":
                [live] = [one for one, what in self.states.items() if what == "live"]
                self._set_state(epoch, "live")
                self._set_state(live, "retired")
                self.seen["switches"] += 1
                self.tell(f"epoch {epoch} takes the place of epoch {live}")

    def remove(self) -> None:
        """The retired epoch's rows and changelogs are removed, its workers stopped."""
        for epoch, state in list(self.states.items()):
            if state == "retired":
                self.states[epoch] = "removed"
                for partition in range(PARTITIONS):
                    worker = self.owners.pop((epoch, partition), None)
                    if worker is not None:
                        worker.die(0)
                    self.kafka.changelogs[epoch, partition].clear()
                self.clickhouse.remove(epoch)
                self.tell(f"epoch {epoch} is removed")

    # Tills.

    def publish(self, partition: int, receipt: Receipt, gap: int = 0) -> None:
        offset = self.kafka.receipts[partition].append(*record(receipt), gap=gap)
        self.meant[partition].append((offset, receipt))
        self.seen["receipts"] += 1
        self.tell(f"partition {partition}, offset {offset}: {shown(receipt)}")

    # Workers.

    def _assign(self, epoch: int, partition: int, process: int) -> Worker:
        place = (epoch, partition)
        before = self.owners.pop(place, None)
        if before is not None:
            before.stop()
            if before.buffer:  # the process lives on, and its producer has not given up
                self.frozen.append(before)
        self._drawn += 1
        width, grace = self.widths[epoch]
        worker = Worker(self.kafka, epoch, partition, f"o{self._drawn}", Windows(width * MINUTE, grace * MINUTE))
        self.owners[place] = worker
        self.process[place] = process
        self.seen["assignments"] += 1
        return worker

    def step(self, epoch: int, partition: int, operations: int, size: int) -> None:
        """The owner does so many operations; where there is none the group gives the partition to someone."""
        place = self._place(epoch, partition)
        worker = self.owners.get(place)
        if worker is None:
            worker = self._assign(*place, (self.process.get(place, 0) + 1) % 3)
        done = 0
        while done < operations and worker.step(size):
            done += 1
        self.tell(f"{named(worker)}: {done} operations, chunks of {size}; {state_of(worker)}")

    def land(self, epoch: int, partition: int, many: int) -> None:
        worker = self.owners.get(self._place(epoch, partition))
        if worker is not None and worker.buffer:
            self.tell(f"{named(worker)}: {min(many, len(worker.buffer))} of {len(worker.buffer)} sends land")
            worker.land(many)

    def commit(self, epoch: int, partition: int, answered: bool) -> None:
        worker = self.owners.get(self._place(epoch, partition))
        if worker is not None and worker.acked is not None:
            worker.commit(answered=answered)
            self.seen["commits"] += 1
            self.tell(f"{named(worker)}: commits {worker.acked}" + ("" if answered else ", and never hears of it"))

    def crash(self, process: int, landed: int) -> None:
        """SIGKILL a worker process with all of its partitions."""
        for place, worker in list(self.owners.items()):
            if self.process[place] == process % 3:
                self.tell(f"{named(worker)}: killed, {landing(worker, landed)}")
                self.seen["crashes"] += 1
                self.seen["crashes with sends under way"] += bool(worker.buffer)
                del self.owners[place]
                worker.die(landed)

    def rebalance(self, shift: int) -> None:
        self.tell("rebalance: every partition is revoked and assigned anew")
        self.seen["rebalances"] += 1
        for epoch in self._computed():
            for partition in range(PARTITIONS):
                self._assign(epoch, partition, (partition + epoch + shift) % 3)

    def freeze(self, epoch: int, partition: int) -> None:
        place = self._place(epoch, partition)
        worker = self.owners.pop(place, None)
        if worker is None:
            return
        worker.ours = False
        self.frozen.append(worker)
        self.seen["freezes"] += 1
        self.tell(f"{named(worker)}: frozen, {len(worker.buffer)} sends under way; the group gives its partition away")

    def wake(self, which: int, operations: int) -> None:
        """A frozen worker goes on for a while, without knowing that it is no longer the owner."""
        if not self.frozen:
            return
        worker = self.frozen[which % len(self.frozen)]
        before = len(worker.buffer)
        if worker.stopped:
            worker.land(operations)
        else:
            for _ in range(operations):
                if not worker.step(4):
                    break
        if before > len(worker.buffer):
            self.seen["sends of frozen workers landed"] += before - len(worker.buffer)
        self.tell(f"{named(worker)}, no longer the owner: goes on for {operations} operations; {state_of(worker)}")

    def die(self, which: int, landed: int) -> None:
        if self.frozen:
            worker = self.frozen.pop(which % len(self.frozen))
            self.tell(f"{named(worker)}, no longer the owner: dies, {landing(worker, landed)}")
            worker.die(landed)

    # Kafka.

    def compact(self, epoch: int, partition: int, permille: int, tombstones: bool) -> None:
        place = self._place(epoch, partition)
        changelog = self.kafka.changelogs[place]
        before, had = changelog.end * permille // 1000, len(changelog.records)
        changelog.compact(before, tombstones=tombstones)
        self.seen["compactions"] += 1
        self.tell(f"changelog {place}: compacted below {before}, {had - len(changelog.records)} records gone")

    def forget_commits(self, epoch: int, partition: int) -> None:
        place = self._place(epoch, partition)
        self.kafka.committed.pop(place, None)
        self.tell(f"commits of {place} are gone")

    def _all_down(self, landed: int) -> None:
        """Every process of every worker is stopped, the frozen ones too."""
        for worker in (*self.owners.values(), *self.frozen):
            worker.die(landed)
        self.owners.clear()
        self.frozen.clear()

    def replay(self, with_state: bool, with_commits: bool, landed: int) -> None:
        """All is stopped; the log is read again from its beginning, or from what state and commits say."""
        self._all_down(landed)
        if not with_state:
            for changelog in self.kafka.changelogs.values():
                changelog.clear()
        if not with_commits:
            self.kafka.committed.clear()
        self.seen["replays with state" if with_state else "replays without state"] += 1
        self.tell(f"all workers stopped, started again with state: {with_state}, with commits: {with_commits}")

    def lose_tail(self, many: int) -> None:
        """The broker loses the ends of the changelogs, and everything is started again.

        Only what no cleaner has run over: it would have taken the record that an older one superseded.
        """
        self._all_down(0)
        for changelog in self.kafka.changelogs.values():
            if len(changelog.records) == changelog.end:
                changelog.cut(min(many, len(changelog.records)))
        self.seen["changelogs cut"] += 1
        self.tell(f"all workers stopped; the changelogs lost their last {many} records")

    # Sinks and ClickHouse.

    def sink(self, which: int, operations: int) -> None:
        sink = self.sinks[which % len(self.sinks)]
        done = 0
        while done < operations and sink.member.step():
            done += 1
        self.tell(f"{sink.name} sink: {done} operations")

    def crash_sink(self, which: int, tables: int) -> None:
        sink = self.sinks[which % len(self.sinks)]
        sink.crash(tables)
        self.seen["sinks killed"] += 1
        self.tell(f"{sink.name} sink: killed, {tables} tables of its batch written")

    def freeze_sink(self, which: int) -> None:
        sink = self.sinks[which % len(self.sinks)]
        self.frozen_sinks.append(sink.freeze())
        self.tell(f"{sink.name} sink: frozen, another takes over")

    def wake_sink(self, which: int, operations: int) -> None:
        if self.frozen_sinks:
            member = self.frozen_sinks[which % len(self.frozen_sinks)]
            for _ in range(operations):
                member.step()
            self.tell(f"a frozen sink goes on for {operations} operations")

    def lose_clickhouse(self, tables: int) -> None:
        """The next batch is written into so many tables, and no answer comes: the sink tries again."""
        self.clickhouse.away = tables
        self.seen["ClickHouse away"] += 1
        self.tell(f"ClickHouse goes away in the next batch, after {tables} tables")

    def merge(self, which: int, at: int) -> None:
        tables = list(self.clickhouse.tables.values())
        tables[which % len(tables)].merge(at)
        self.tell(f"{tables[which % len(tables)].name}: a merge")

    # The end.

    def drain(self) -> None:
        """Whoever owns a partition reads to its end, and the sinks write all of it."""
        for epoch in self._computed():
            for partition in range(PARTITIONS):
                place = (epoch, partition)
                worker = self.owners.get(place) or self._assign(*place, self.process.get(place, 0))
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
        """Frozen workers and sinks go on to their ends, then every partition is restored anew."""
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

    def check(self) -> None:
        """Drain, then compare every epoch's rows with the oracle's; raises Difference."""
        self.drain()
        live = [epoch for epoch, state in self.states.items() if state == "live"]
        found = []
        if self.clickhouse.live_epochs() != live:
            found.append(f"live epochs: {self.clickhouse.live_epochs()}, not {live}")
        for epoch in self._computed():
            expected = expected_of(self.meant, self.widths[epoch])
            self._note(expected)
            told = differences(self.clickhouse, epoch, expected, only_epoch=len(self.states) == 1)
            found += [f"epoch {epoch}: {text}" for text in told]
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
