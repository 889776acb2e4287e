"""Epochs: begun beside the live one, live in its place, removed; tillstream.rebuilding.plan decides what is written."""

from __future__ import annotations

from typing import Literal

import msgspec

from schemas import topics
from schemas.epoch import Epoch, encode
from sinks import ledger
from tests.simulation.oracle import Widths
from tests.simulation.receipts import MAX_SKEW
from tests.simulation.sink import Sink
from tests.simulation.stage import PARTITIONS, Stage
from tillstream.epochs import KnownEpoch
from tillstream.rebuilding import plan
from tillstream.rebuilding.remove import TABLES

MOST = 3


class Epochs(Stage):
    """Events of epochs."""

    def begin_epoch(self, widths: Widths, state: Literal["live", "building"]) -> None:
        number = len(self.known) + 1
        self.widths[number] = widths
        prepare = {topics.RECEIPTS: ledger.make_prepare(number, MAX_SKEW, keep_lines=False)}
        self.sinks.append(Sink(f"ledger of epoch {number}", self.kafka.receipts, prepare, self.clickhouse))
        window, grace = widths
        self._write(Epoch(number, state, window * 60, grace * 60, max_skew=MAX_SKEW // 1_000_000))

    def _write(self, epoch: Epoch) -> None:
        offset = self.kafka.epochs.append(str(epoch.epoch).encode(), encode(epoch))
        self.known[epoch.epoch] = KnownEpoch(epoch, offset, stamped_by_broker=True)

    def _in(self, state: str) -> list[Epoch]:
        return [entry.epoch for entry in self.known.values() if entry.epoch.state == state]

    def rebuild(self, window: int, grace: int) -> None:
        if not self._in("building") and len(self.known) < MOST:
            self.begin_epoch(Widths(window, grace), "building")
            self.seen["rebuilds"] += 1
            self.tell(f"rebuild: epoch {len(self.known)} begins, window {window} min, grace {grace} min")

    def switch(self) -> None:
        for built in self._in("building"):
            succeeding = plan.succeeding(self.known, built)
            self._write(succeeding)
            self.seen["switches"] += 1
            self.tell(f"epoch {built.epoch} is live in place of {succeeding.replaces}")

    def retire(self) -> None:
        for epoch in self._in("live"):
            if epoch.epoch not in self.live():
                self._write(msgspec.structs.replace(epoch, state="retired"))
                self.tell(f"epoch {epoch.epoch} is retired")

    def remove(self) -> None:
        """Rows and changelogs of epochs whose place was taken are removed; frozen workers of theirs may go on."""
        for number in [number for number in self.known if number not in self.computed()]:
            if self.known[number].epoch.state == "removed":
                continue
            epoch = plan.removable(self.known, number)
            for partition in range(PARTITIONS):
                worker = self.owners.pop((number, partition), None)
                if worker is not None:
                    worker.die(0)
                self.kafka.changelogs[number, partition].clear()
            self.clickhouse.remove(number, TABLES)
            self._write(msgspec.structs.replace(epoch, state="removed"))
            self.seen["epochs removed"] += 1
            self.tell(f"epoch {number} is removed")
