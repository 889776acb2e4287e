"""What befalls workers, and the part of Kafka that only they use: changelogs and commits."""

from __future__ import annotations

from streams.windows import Windows
from tests.simulation.phrases import landing, named, state_of
from tests.simulation.receipts import MINUTE
from tests.simulation.stage import PARTITIONS, Stage
from tests.simulation.worker import Worker


class Workers(Stage):
    """Events of workers."""

    def assign(self, epoch: int, partition: int, process: int) -> Worker:
        place = (epoch, partition)
        before = self.owners.pop(place, None)
        if before is not None:
            before.stop()
            if before.buffer:  # the process lives on, and its producer has not given up
                self.frozen.append(before)
        self.drawn += 1
        width, grace = self.widths[epoch]
        worker = Worker(self.kafka, epoch, partition, f"o{self.drawn}", Windows(width * MINUTE, grace * MINUTE))
        self.owners[place] = worker
        self.process[place] = process
        self.seen["assignments"] += 1
        return worker

    def step(self, epoch: int, partition: int, operations: int, size: int) -> None:
        """The owner does so many operations; where there is none the group gives the partition to someone."""
        place = self.place(epoch, partition)
        worker = self.owners.get(place)
        if worker is None:
            worker = self.assign(*place, (self.process.get(place, 0) + 1) % 3)
        done = 0
        while done < operations and worker.step(size):
            done += 1
        self.tell(f"{named(worker)}: {done} operations, chunks of {size}; {state_of(worker)}")

    def land(self, epoch: int, partition: int, many: int) -> None:
        worker = self.owners.get(self.place(epoch, partition))
        if worker is not None and worker.buffer:
            self.tell(f"{named(worker)}: {min(many, len(worker.buffer))} of {len(worker.buffer)} sends land")
            worker.land(many)

    def commit(self, epoch: int, partition: int, answered: bool) -> None:
        worker = self.owners.get(self.place(epoch, partition))
        if worker is not None and worker.acked is not None:
            worker.commit(answered=answered)
            self.seen["commits"] += 1
            self.tell(f"{named(worker)}: commits {worker.acked}" + ("" if answered else ", and never hears of it"))

    def crash(self, process: int, landed: int) -> None:
        """SIGKILL a worker process with all of its partitions."""
        running = sorted({self.process[place] for place in self.owners})
        for place, worker in list(self.owners.items()):
            if self.process[place] == running[process % len(running)]:
                self.tell(f"{named(worker)}: killed, {landing(worker, landed)}")
                self.seen["crashes"] += 1
                self.seen["crashes with sends under way"] += bool(worker.buffer)
                del self.owners[place]
                worker.die(landed)

    def rebalance(self, shift: int) -> None:
        self.tell("rebalance: every partition is revoked and assigned anew")
        self.seen["rebalances"] += 1
        for epoch in self.computed():
            for partition in range(PARTITIONS):
                self.assign(epoch, partition, (partition + epoch + shift) % 3)

    def freeze(self, epoch: int, partition: int) -> None:
        place = self.place(epoch, partition)
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

    def compact(self, epoch: int, partition: int, permille: int, tombstones: bool) -> None:
        place = self.place(epoch, partition)
        changelog = self.kafka.changelogs[place]
        before, had = changelog.end * permille // 1000, len(changelog.records)
        changelog.compact(before, tombstones=tombstones)
        self.seen["compactions"] += 1
        self.tell(f"changelog {place}: compacted below {before}, {had - len(changelog.records)} records gone")

    def forget_commits(self, epoch: int, partition: int) -> None:
        place = self.place(epoch, partition)
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
