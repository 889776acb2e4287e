"""The sender: takes alerts in, keeps what is open, attempts what is due, and writes down what came of it.

Of each partition of `restock.alerts` one process is the owner, and of the same number of `webhook.deliveries` too.

1. An alert is read; its deliveries are written down and acknowledged; only then is its offset committed.
2. What is due is posted, each endpoint by a task of its own, so that none waits for another.
3. The result is written down and acknowledged; only then is the delivery done, or waits for its next attempt.

Killed between 2 and 3, the next owner finds the delivery open and posts it again, under the same id.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
import time
from collections.abc import Iterable, Sequence
from typing import Any

import msgspec
from aiokafka import ConsumerRebalanceListener, TopicPartition
from aiokafka.errors import CommitFailedError, IllegalStateError
from msgspec.structs import replace

from schemas import alert as alerts
from schemas import delivery as messages
from schemas.delivery import OPEN, Delivery, EndpointState
from schemas.times import TimeFault
from sinks import metrics
from sinks.clients import reads_no_more, stopped_within
from sinks.webhooks import strangers
from sinks.webhooks.body import body_of, headers_of
from sinks.webhooks.endpoint import HOUR, SECOND, Endpoint, Tuning
from sinks.webhooks.forgetting import Forgetting
from sinks.webhooks.health import Health
from sinks.webhooks.intake import deliveries_of
from sinks.webhooks.known import Known
from sinks.webhooks.memory import Memory
from sinks.webhooks.outbox import Outbox
from sinks.webhooks.post import Poster
from sinks.webhooks.record import Recorder
from sinks.webhooks.schedule import Outcome, Pace, after
from sinks.webhooks.shelf import Shelf

log = logging.getLogger(__name__)

RECORDS_PER_POLL = 500
POLL_MS = 200
# Attempts that are under way when a partition goes, or at the end, may finish within this; then they are repeated.
LAST_SECONDS = 2.0
# Of a partition, or an endpoint: a million are forgotten within three hours, and nothing waits for that.
MOST_AT_ONCE = 1_000


def now_us() -> int:
    """Microseconds since the Unix epoch."""
    return time.time_ns() // 1000


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
        self.memory = memory
        self._recorder = recorder
        self._shelf = shelf
        self._poster = poster
        self._endpoints = {one.name: one for one in endpoints}
        self._max_age = max_age
        self._dashboard = dashboard
        self._tuning = tuning
        self._outbox = Outbox()
        self._health = Health()
        self._known = Known(max_age + tuning.margin)
        self._forgetting = Forgetting(max_age, tuning.margin)
        self._paces = dict.fromkeys(self._endpoints, Pace())
        self._wakes = {name: asyncio.Event() for name in self._endpoints}
        self._whole: set[int] = set()
        self._flying: dict[asyncio.Task[None], int] = {}
        self._strangers: set[str] = set()
        # Open deliveries of partitions that are being read back, by partition: one may be final further on.
        self._read_back: dict[int, dict[str, Delivery]] = {}
        self.ready = asyncio.Event()

    # What the group says.

    async def on_partitions_revoked(self, revoked: Any) -> None:
        """Let attempts finish for a moment, and forget: who owns them next reads all of it from the log."""
        gone = {place.partition for place in revoked}
        self._whole -= gone
        self.memory.follow(())
        for partition in gone:
            self._outbox.drop(partition)
            self._known.drop(partition)
            self._forgetting.drop(partition)
            self._read_back.pop(partition, None)
        await self._land(gone)

    async def on_partitions_assigned(self, assigned: Any) -> None:
        """Read back what is known of these partitions before an alert of theirs is taken in."""
        if assigned:
            self._consumer.pause(*assigned)
        self.memory.follow([place.partition for place in assigned])
        if not assigned:
            self.ready.set()

    # What the log says.

    def take(self, record: Any) -> None:
        """One record of `webhook.deliveries`: of an earlier owner, of our own, or a request.

        A tombstone ends no open delivery: whoever wrote it had not read of a request.
        """
        if record.value is None:
            if self.memory.owns(record.partition):
                self._forgetting.forgotten((record.key or b"").decode(errors="replace"))
            return
        try:
            message = messages.decode(record.value)
        except msgspec.MsgspecError as fault:
            log.warning("a message of %s at %d:%d is none: %s", record.topic, record.partition, record.offset, fault)
            return
        if isinstance(message, EndpointState):
            self._learn(message)
        elif self.memory.owns(record.partition):
            self._forgetting.learn(message)
            if record.partition in self._whole:
                self._follow_up(message)
            else:
                self._remember(message)

    def _learn(self, state: EndpointState) -> None:
        self._health.learn(state)
        if state.endpoint in self._wakes:
            self._wakes[state.endpoint].set()

    def _remember(self, message: Delivery) -> None:
        """A record of before: the newest of an id is the one that counts."""
        self._known.add(message)
        self._known.forget(now_us())
        found = self._read_back.setdefault(message.partition, {})
        if message.state in OPEN:
            found[message.webhook_id] = message
        else:
            found.pop(message.webhook_id, None)

    def _follow_up(self, message: Delivery) -> None:
        """A record of now: whatever we wrote ourselves we have done already."""
        if self._outbox.is_under_way(message.webhook_id):
            return
        if message.state == "requested":
            self._open(message)
        elif message.state not in OPEN:
            self._outbox.done(message.webhook_id)

    def _open(self, delivery: Delivery) -> None:
        if delivery.state == "requested":
            delivery = replace(delivery, attempt=0, next_at=delivery.at)
        if delivery.endpoint in self._endpoints:
            self._outbox.put(delivery)
            self._wakes[delivery.endpoint].set()
            return
        self._outbox.put(strangers.waiting(delivery, self._tuning))
        if delivery.endpoint not in self._strangers:
            self._strangers.add(delivery.endpoint)
            log.warning(
                "webhooks wait for the endpoint %s, which [[webhooks]] no longer names; they fail after %d h",
                delivery.endpoint, sum(self._tuning.delays) // HOUR,
            )  # fmt: skip

    async def is_whole(self, partition: int) -> None:
        """All that was known of a partition has been taken: take alerts in, from where the log says."""
        place = TopicPartition(self._topic, partition)
        try:
            newest = self._known.newest(partition)
            if newest is not None and await self._consumer.committed(place) is None:
                # The broker forgot the group. Whatever stands before an alert that made a delivery was dealt with, if
                # this is the log in which it did.
                found = await self._shelf.get(partition, newest.offset)
                if found is not None and (found.alert_id, found.sequence) == (newest.alert_id, newest.sequence):
                    self._consumer.seek(place, newest.offset)
            if not self.memory.has_read(partition):  # it went meanwhile, and may be ours again and begun anew
                return
            self._whole.add(partition)
            for delivery in self._read_back.pop(partition, {}).values():
                self._open(delivery)
            self._consumer.resume(place)
        except IllegalStateError:  # it was taken from us meanwhile
            self._whole.discard(partition)
            return
        if self._whole >= {one.partition for one in self._consumer.assignment()}:
            self.ready.set()

    @property
    def _topic(self) -> str:
        (topic,) = self._consumer.subscription()
        return str(topic)

    # 1. Alerts become deliveries.

    async def take_in(self, stop: asyncio.Event) -> None:
        """Take alerts in until `stop`, or until a client reads no more; raises KafkaError."""
        while not (stop.is_set() or reads_no_more(self._consumer) or self.memory.reads_no_more()):
            fetched = await self._consumer.getmany(timeout_ms=POLL_MS, max_records=RECORDS_PER_POLL)
            for place, records in fetched.items():
                if place.partition in self._whole:
                    await self._take_records(place, records)
                else:
                    with contextlib.suppress(IllegalStateError):
                        self._consumer.seek(place, records[0].offset)

    async def _take_records(self, place: TopicPartition, records: Sequence[Any]) -> None:
        now = now_us()
        made: dict[str, Delivery] = {}

        def known(webhook_id: str) -> bool:
            return webhook_id in made or webhook_id in self._outbox or webhook_id in self._known

        for record in records:
            try:
                alert = alerts.decode(record.value or b"")
                found = deliveries_of(
                    alert, (place.partition, record.offset), self._endpoints.values(), now, self._max_age,
                    known=known, disabled=self._health.disabled,
                )  # fmt: skip
            except (msgspec.MsgspecError, TimeFault) as fault:
                log.warning("no webhook for %s at %d:%d: %s", place.topic, place.partition, record.offset, fault)
                continue
            if found:
                self._shelf.keep(place.partition, record.offset, record.value)
                made |= {one.webhook_id: one for one in found}
        await self._recorder.write_all(place.partition, list(made.values()))
        if place.partition not in self._whole:
            return  # taken from us meanwhile; its next owner finds them in the log
        for delivery in made.values():
            self._known.add(delivery)
            if delivery.state == "pending":
                self._open(delivery)
            else:
                metrics.webhook_deliveries.labels(delivery.state).inc()
        self._known.forget(now)
        with contextlib.suppress(CommitFailedError, IllegalStateError):
            await self._consumer.commit({place: records[-1].offset + 1})

    # 2. What is due is posted.

    async def serve(self, name: str, group: asyncio.TaskGroup, stop: asyncio.Event) -> None:
        """Attempt what is due at one endpoint, until `stop`."""
        endpoint, wake = self._endpoints[name], self._wakes[name]
        flying: set[asyncio.Task[None]] = set()
        while not stop.is_set():
            wake.clear()
            pace, now = self._paces[name], now_us()
            while now >= pace.held_until and len(flying) < pace.width(endpoint.concurrency):
                delivery = self._outbox.take(name, now)
                if delivery is None:
                    break
                task = group.create_task(self._attempt(endpoint, delivery))
                flying.add(task)
                self._flying[task] = delivery.partition
                task.add_done_callback(flying.discard)
                task.add_done_callback(self._flying.pop)
                task.add_done_callback(lambda _: wake.set())
            due = self._outbox.next_at(name)
            free = len(flying) < pace.width(endpoint.concurrency)
            pause = None if due is None or not free else (max(due, pace.held_until) - now_us()) / 1_000_000
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(pause):
                    await wake.wait()

    async def _attempt(self, endpoint: Endpoint, delivery: Delivery) -> None:
        outcome = None
        if self._health.disabled(endpoint.name):
            then = replace(delivery, state="disabled", next_at=0, reason="the endpoint is disabled", at=now_us())
        else:
            alert = await self._shelf.get(delivery.partition, delivery.offset)
            if alert is None:
                then = replace(
                    delivery, state="failed", next_at=0, reason="its alert is no longer in the log", at=now_us()
                )
            else:
                body = body_of(delivery.type, alert, self._dashboard)
                headers = headers_of(delivery.webhook_id, body, now_us(), endpoint.secrets)
                outcome = await self._poster.post(endpoint.url, headers, body)
                then = after(delivery, outcome, now_us(), self._tuning, random.random())  # noqa: S311  # jitter
        await self._note(endpoint, then, outcome)

    # 3. What came of it is written down.

    async def _note(self, endpoint: Endpoint, then: Delivery, outcome: Outcome | None) -> None:
        metrics.webhook_deliveries.labels("retried" if then.state == "pending" else then.state).inc()
        if outcome is not None:
            metrics.webhook_seconds.observe(outcome.took)
            self._paces[endpoint.name] = self._paces[endpoint.name].after(outcome, then.at, self._tuning)
            changed = self._health.after(endpoint.name, outcome, then.at, self._tuning)
            if changed is not None:
                await self._note_endpoint(changed)
        await self._recorder.write(then)
        if then.webhook_id not in self._outbox:
            return
        if then.state == "pending":
            self._outbox.put(then)
        else:
            self._outbox.done(then.webhook_id)

    async def _note_endpoint(self, state: EndpointState) -> None:
        self._health.learn(state)
        if state.state == "disabled":
            log.warning(
                "endpoint %s is disabled: %s; `tillstream webhook test %s` enables it once it answers",
                state.endpoint, state.reason, state.endpoint,
            )  # fmt: skip
        else:
            log.warning("endpoint %s is %s %s", state.endpoint, state.state, state.reason)
        await self._recorder.write(state)

    # 4. What waits in vain is given up, and what nothing needs any more is forgotten.

    async def tidy(self, stop: asyncio.Event) -> None:
        """Do both, some at a time, until `stop`; raises KafkaError."""
        while not await stopped_within(stop, self._tuning.tidy_every / SECOND):
            for name in sorted(self._strangers):
                await self._give_up(name)
            for partition in sorted(self._whole):
                due = self._forgetting.due(partition, now_us(), MOST_AT_ONCE)
                await self._recorder.forget(partition, due)

    async def _give_up(self, stranger: str) -> None:
        now, many = now_us(), 0
        while many < MOST_AT_ONCE and (delivery := self._outbox.take(stranger, now)) is not None:
            many += 1
            await self._recorder.write(strangers.given_up(delivery, now))
            metrics.webhook_deliveries.labels("failed").inc()
            self._outbox.done(delivery.webhook_id)
        if many:
            log.warning("%d webhooks for the endpoint %s have failed: %s", many, stranger, strangers.REASON)

    # The end of all of it.

    async def land(self) -> None:
        """Let every attempt finish for a moment, and end those that do not."""
        await self._land(set(self._flying.values()))

    async def _land(self, partitions: set[int]) -> None:
        tasks = [task for task, partition in self._flying.items() if partition in partitions]
        if not tasks:
            return
        _, late = await asyncio.wait(tasks, timeout=LAST_SECONDS)
        for task in late:
            task.cancel()
        await asyncio.gather(*late, return_exceptions=True)


async def run_generation(sender: Sender, names: Iterable[str], stop: asyncio.Event) -> None:
    """Run all parts of a sender until `stop`, or until a client of Kafka's reads no more.

    Raises what ended one of them, in an ExceptionGroup.
    """
    async with asyncio.TaskGroup() as group:
        parts = [group.create_task(sender.memory.run(sender.take, sender.is_whole))]
        parts.append(group.create_task(sender.tidy(stop)))
        parts += [group.create_task(sender.serve(name, group, stop)) for name in names]
        await sender.take_in(stop)
        for part in parts:
            part.cancel()
        await sender.land()
