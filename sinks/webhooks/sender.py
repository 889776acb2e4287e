"""The sender: takes alerts in, keeps what is open, attempts what is due, and writes down what came of it.

Of each partition of `restock.alerts` one process is the owner, and of the same number of `webhook.deliveries` too.

1. An alert is read; its deliveries are written down and acknowledged; only then is its offset committed (`take_in.py`).
2. What is due is posted, each endpoint by a task of its own, so that none waits for another (`attempts.py`).
3. The result is written down and acknowledged; only then is the delivery done, or waits for its next attempt.
4. What waits in vain is given up, and what nothing needs any more is forgotten (`tidy.py`).

Killed between 2 and 3, the next owner finds the delivery open and posts it again, under the same id.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

from aiokafka import ConsumerRebalanceListener, TopicPartition
from aiokafka.errors import IllegalStateError

from sinks.webhooks.attempts import Attempts
from sinks.webhooks.book import Book
from sinks.webhooks.endpoint import Endpoint, Tuning
from sinks.webhooks.memory import Memory
from sinks.webhooks.post import Poster
from sinks.webhooks.record import Recorder
from sinks.webhooks.shelf import Shelf
from sinks.webhooks.take_in import take_in
from sinks.webhooks.tidy import tidy


class Sender(ConsumerRebalanceListener):  # type: ignore[misc]  # aiokafka has no types
    """One generation of the sender: it ends with any fault of Kafka's, and another begins from what is in the log."""

    def __init__(
        self,
        consumer: Any,
        memory: Memory,
        recorder: Recorder,
        shelf: Shelf,
        poster: Poster,
        endpoints: Sequence[Endpoint],
        max_age: int,
        dashboard: str,
        tuning: Tuning,
    ) -> None:
        self._consumer = consumer
        self._memory = memory
        self._recorder = recorder
        self._shelf = shelf
        self._tuning = tuning
        self._book = Book(endpoints, max_age, tuning, memory.owns)
        self._attempts = Attempts(self._book, recorder, shelf, poster, dashboard, tuning)
        self.ready = asyncio.Event()

    async def on_partitions_revoked(self, revoked: Any) -> None:
        """Let attempts finish for a moment, and forget: who owns them next reads all of it from the log."""
        gone = {place.partition for place in revoked}
        self._memory.follow(())
        for partition in gone:
            self._book.drop(partition)
        await self._attempts.land(gone)

    async def on_partitions_assigned(self, assigned: Any) -> None:
        """Read back what is known of these partitions before an alert of theirs is taken in."""
        if assigned:
            self._consumer.pause(*assigned)
        self._memory.follow([place.partition for place in assigned])
        if not assigned:
            self.ready.set()

    async def run(self, stop: asyncio.Event) -> None:
        """Run all parts until `stop`, or until a client of Kafka's reads no more.

        Raises what ended one of them, in an ExceptionGroup.
        """
        async with asyncio.TaskGroup() as group:
            parts = [group.create_task(self._memory.run(self._book.take, self._is_whole))]
            parts.append(group.create_task(tidy(self._book, self._recorder, self._tuning.tidy_every, stop)))
            parts += [group.create_task(self._attempts.serve(name, group, stop)) for name in self._book.endpoints]
            await take_in(self._consumer, self._memory, self._book, self._recorder, self._shelf, stop)
            for part in parts:
                part.cancel()
            await self._attempts.land()

    async def _is_whole(self, partition: int) -> None:
        """All that was known of a partition has been taken: take alerts in, from where the log says."""
        place = TopicPartition(self._topic, partition)
        try:
            newest = self._book.known.newest(partition)
            if newest is not None and await self._consumer.committed(place) is None:
                # The broker forgot the group. Whatever stands before an alert that made a delivery was dealt with, if
                # this is the log in which it did.
                found = await self._shelf.get(partition, newest.offset)
                if found is not None and (found.alert_id, found.sequence) == (newest.alert_id, newest.sequence):
                    self._consumer.seek(place, newest.offset)
            if not self._memory.has_read(partition):  # it went meanwhile, and may be ours again and begun anew
                return
            self._consumer.resume(place)
        except IllegalStateError:  # it was taken from us meanwhile
            return
        self._book.begin(partition)
        if self._book.whole >= {one.partition for one in self._consumer.assignment()}:
            self.ready.set()

    @property
    def _topic(self) -> str:
        (topic,) = self._consumer.subscription()
        return str(topic)
