"""Chunked delivery: a Kafka fetch of one partition is one Faust event, for receipts and changelogs alike.

Faust spends four asyncio tasks, an Event and an ack on each message; a chunk of thousands costs that once.
This file also mends what breaks exactness or availability on the way (each measured against Faust 0.15.3):

* Faust commits past messages that it delivered but that nobody processed (its issue #606). Here an offset is
  committed only when the chunk that ends before it was acked, in order.
* A failed commit crashes the app and is forgotten. Here it is tried again at the next interval (consumer_thread).
* Delivered chunks can be dropped when a rebalance clears Faust's queues. Here each chunk carries the offset
  that it follows, so that who folds it sees the hole.
* Faust seeks from its own thread while another takes fetches apart, and both change the same books.
* A rebalance cancels whoever waits for a fetch, but not the fetch, which may go on to take what is read after the
  next seek, and nobody hears of it. Here the next call takes over a fetch that is under way.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from typing import Any

import faust
from aiokafka.errors import IllegalStateError
from faust.transport.drivers import aiokafka as driver
from faust.types import TP, ConsumerMessage

from schemas.errors import Again
from streams.chunks import AFTER_SEEK, UNKNOWN, Chunk
from streams.consumer_thread import FETCH_MAX_WAIT_MS, PatientConsumerThread


@dataclass(frozen=True, slots=True)
class _Fetch:
    """A fetch under way, how often each partition had been sought when it began, and the group's generation then."""

    fetching: asyncio.Future[tuple[Any, set[TP] | None]]
    seeks: dict[TP, int]
    generation: int


class _Forgetful(dict[TP, int | None]):
    """Stands in for Faust's read offsets, by which it drops what is delivered again after seeking back."""

    def __getitem__(self, tp: TP) -> None:
        return None

    def __setitem__(self, tp: TP, offset: int | None) -> None:
        pass


class ChunkSchema(faust.Schema):
    """Hands the chunk through: decoding is the fold's work."""

    def loads_key(self, app: Any, message: Any, **_: Any) -> None:
        """Give no key: a chunk has many."""

    def loads_value(self, app: Any, message: Any, **_: Any) -> Any:  # noqa: ARG002  # fixed by Faust
        """Give the chunk as it was delivered."""
        return message.value


class ChunkConsumer(driver.Consumer):
    """Delivers chunks, and commits the end of the acked prefix of each partition."""

    def __post_init__(self) -> None:
        """Set up the bookkeeping of chunks."""
        self._seeks: dict[TP, int] = defaultdict(int)
        self._read_offset = _Forgetful()
        self._sought_offset: dict[TP, int] = {}
        # Partitions that are being sought, one after the other: nobody can tell where what they yield now was read.
        self._seeking: set[TP] = set()
        self._follows: dict[TP, int] = {}
        self._next: dict[TP, int] = {}
        # The next offset to fold by the restored state, where it is known: a commit beyond it must not skip anything.
        self.starts: dict[TP, int] = {}
        self._fetch: _Fetch | None = None
        # Largest offset whose commit the broker accepted from this assignment.
        self.accepted: dict[TP, int] = {}

    def _new_consumer_thread(self) -> PatientConsumerThread:
        return PatientConsumerThread(self, loop=self.loop, beacon=self.beacon)

    async def getmany(self, timeout: float) -> AsyncIterator[tuple[TP, ConsumerMessage]]:
        """Yield one message a partition, its value being the Chunk of what was fetched."""
        if not self.flow_active:
            await self.wait(self.can_resume_flow)
        fetch = self._fetch
        if fetch is None:
            fetching = asyncio.ensure_future(self._wait_next_records(timeout))
            fetch = self._fetch = _Fetch(fetching, dict(self._seeks), self.app.consumer_generation_id)
        await asyncio.wait({fetch.fetching})  # unlike awaiting it, this leaves it alone where we are cancelled
        if self._fetch is not fetch:
            return  # somebody else has waited for the same one, and has it
        self._fetch = None
        if fetch.fetching.result()[0] is None or self.should_stop:
            return
        chunks, stale = self._chunks(fetch)
        for tp in stale:
            await self._seek_again(tp)
        for chunk in chunks:
            if self._seeks[chunk.tp] != chunk.seeks or chunk.tp in self._seeking:
                continue  # sought since: what is read from now on begins there
            if self.flow_active and self.app.consumer_generation_id == fetch.generation:
                yield chunk.tp, self._chunk_message(chunk)
            else:
                # In a rebalance all of it is dropped: who gets the partition seeks it before reading on.
                self._follows[chunk.tp] = UNKNOWN

    def _chunks(self, fetch: _Fetch) -> tuple[list[Chunk], list[TP]]:
        """What was fetched, and the partitions that must be sought again.

        All of it is noted before the first one is given away, since nobody may come for the others.
        """
        chunks, stale = [], []
        records, active = fetch.fetching.result()
        for partition, batch in records.items():
            tp = TP(partition.topic, partition.partition)
            if tp in self._seeking:
                continue  # sought once more before anything of it is given away
            if fetch.seeks.get(tp, 0) != self._seeks[tp]:
                # A seek while the fetch was under way: nobody can tell whether the records are from before it.
                stale.append(tp)
            elif batch and (active is None or tp in active or tp in self._buffered_partitions):
                chunks.append(Chunk(tp, batch, self._follows.get(tp, UNKNOWN), self._seeks[tp]))
                self._follows[tp] = chunks[-1].last
                continue
            self._follows[tp] = UNKNOWN
        return chunks, stale

    async def on_stop(self) -> None:
        """Give up the fetch that is under way, too."""
        if self._fetch is not None:
            self._fetch.fetching.cancel()
        await super().on_stop()

    async def _seek_again(self, tp: TP) -> None:
        try:
            await self.seek(tp, self._sought_offset[tp])
        except IllegalStateError:  # a rebalance has taken it away meanwhile
            self._follows[tp] = UNKNOWN

    def _chunk_message(self, chunk: Chunk) -> ConsumerMessage:
        last = chunk.records[-1]
        return ConsumerMessage(
            chunk.tp.topic,
            chunk.tp.partition,
            last.offset,
            (last.timestamp or 0) / 1000.0,
            0,
            (),
            b"",
            chunk,
            None,
            0,
            0,
            chunk.tp,
            generation_id=self.app.consumer_generation_id,
        )

    async def _wait_next_records(self, timeout: float) -> tuple[Any, set[TP] | None]:
        """As Faust's, without its sleep of a second whenever every buffer is full."""
        try:
            active = self._get_active_partitions()
            if not active:
                await asyncio.sleep(0.02)
                return {}, active
            # Kafka's client gives away one partition until it has no more of it, and while that one is folded the
            # others would wait: so it is asked for those that have room, and all are folded side by side.
            wanted = self.app.folding.with_room(active)
            held_up = len(wanted) < len(active)
            records = await self._getmany(wanted, 0.0 if held_up else timeout) if wanted else {}
            if not records and held_up:
                await self.app.folding.made_room(FETCH_MAX_WAIT_MS / 1000)
            if not records and not self.app.should_stop and self._thread.reads_no_more():
                await self.app.crash(Again("Kafka's client has stopped reading."))
            return records, active
        finally:
            self.not_waiting_next_records.set()

    def _sought(self, tp: TP, offset: int) -> None:
        self._sought_offset[tp] = offset
        self._seeks[tp] += 1
        self._follows[tp] = AFTER_SEEK

    async def seek(self, partition: TP, offset: int) -> int:
        """Seek one partition; its next chunk is the first after a seek. Returns how often it was sought by now."""
        tp = TP(partition.topic, partition.partition)
        self._sought(tp, offset)  # first: what is asked for from now on is read after the seek
        seeks = self._seeks[tp]
        await super().seek(tp, offset)
        return seeks

    async def _seek(self, partition: TP, offset: int) -> None:
        """As Faust's, in the thread that fetches: from another one it takes away what is being read just then."""
        await self._thread.seek_wait({partition: offset})

    async def seek_wait(self, partitions: Mapping[TP, int]) -> None:
        """Seek several partitions, as recovery does."""
        await super().seek_wait(partitions)
        for tp, offset in partitions.items():
            self._sought(TP(tp.topic, tp.partition), offset)

    async def perform_seek(self) -> None:
        """Go back to the committed offsets, as Faust does after each rebalance, or further where `starts` says so.

        Faust seeks one partition after the other, asking the broker in between, and says nothing before all are
        sought: the first may long be read again by then. So what comes meanwhile is dropped, and each is sought anew.
        """
        partitions = {TP(one.topic, one.partition) for one in self.assignment()}
        self._seeking = {tp for tp in partitions if not self._is_changelog_tp(tp)}
        self._follows.update(dict.fromkeys(self._seeking, UNKNOWN))
        try:
            await super().perform_seek()
            for tp in sorted(self._seeking):
                committed = self._committed_offset[tp] or 0
                self._seeking.discard(tp)  # at once: no await lies before the seek counts
                await self.seek(tp, min(committed, self.starts.get(tp, committed)))
        finally:
            self._seeking = set()

    async def _add_gap(self, tp: TP, offset_from: int, offset_to: int) -> None:
        """Nothing: a chunk's offset is its last record's, the records before it are in it."""

    def ack(self, message: Any) -> bool:
        """Note that a chunk is folded and durable; chunks of one partition are acked in their order."""
        if message.acked:
            return False
        message.acked = True
        self._unacked_messages.discard(message)
        if self.app.topics.acks_enabled_for(message.topic):
            self.done(message.tp, message.offset + 1)
        return True

    def done(self, tp: TP, offset: int) -> None:
        """Let `offset` be committed at the next interval: all before it is durable."""
        self._next[tp] = max(offset, self._next.get(tp, 0))
        _ = self._acked[tp]  # Faust asks only the partitions that it finds here

    def _new_offset(self, tp: TP) -> int | None:
        return self._next.get(tp)

    async def _commit_offsets(self, offsets: Mapping[TP, int], start_new_transaction: bool = True) -> bool:
        assigned = self.assignment()
        ours = {tp: at for tp, at in offsets.items() if tp in assigned}
        before = {tp: self._committed_offset[tp] for tp in ours}
        generation = self.app.consumer_generation_id
        accepted = bool(await super()._commit_offsets(ours, start_new_transaction))
        if not accepted:
            # Faust takes the offsets for committed all the same, and would not try them again.
            self._committed_offset.update(before)
        elif generation == self.app.consumer_generation_id:
            self.accepted.update({tp: at for tp, at in ours.items() if tp in self._next})
        return accepted

    async def on_partitions_revoked(self, revoked: set[TP]) -> None:
        """Stop folding, commit what is durable, then forget: in this order."""
        await self.app.on_revoke()
        await self.commit()
        for book in (self._follows, self._next, self.starts, self.accepted):
            book.clear()
        await super().on_partitions_revoked(revoked)


class ChunkTransport(driver.Transport):
    """Kafka with chunked delivery."""

    Consumer = ChunkConsumer
