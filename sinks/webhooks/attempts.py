"""Posts what is due, each endpoint by a task of its own, and writes down what came of it."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
from collections.abc import Collection

from msgspec.structs import replace

from schemas.delivery import Delivery, EndpointState
from sinks import metrics
from sinks.webhooks.body import body_of, headers_of
from sinks.webhooks.book import Book
from sinks.webhooks.clock import now_us
from sinks.webhooks.endpoint import Endpoint, Tuning
from sinks.webhooks.post import Poster
from sinks.webhooks.record import Recorder
from sinks.webhooks.schedule import Outcome, Pace, after
from sinks.webhooks.shelf import Shelf

log = logging.getLogger(__name__)

# Attempts that are under way when a partition goes, or at the end, may finish within this; then they are repeated.
LAST_SECONDS = 2.0


class Attempts:
    """Attempts of all endpoints, and those that are under way."""

    def __init__(
        self, book: Book, recorder: Recorder, shelf: Shelf, poster: Poster, dashboard: str, tuning: Tuning
    ) -> None:
        self._book = book
        self._recorder = recorder
        self._shelf = shelf
        self._poster = poster
        self._dashboard = dashboard
        self._tuning = tuning
        self._paces = dict.fromkeys(book.endpoints, Pace())
        self._flying: dict[asyncio.Task[None], int] = {}

    async def serve(self, name: str, group: asyncio.TaskGroup, stop: asyncio.Event) -> None:
        """Attempt what is due at one endpoint, until `stop`."""
        endpoint, wake, outbox = self._book.endpoints[name], self._book.wakes[name], self._book.outbox
        flying: set[asyncio.Task[None]] = set()
        while not stop.is_set():
            wake.clear()
            pace, now = self._paces[name], now_us()
            while now >= pace.held_until and len(flying) < pace.width(endpoint.concurrency):
                delivery = outbox.take(name, now)
                if delivery is None:
                    break
                task = group.create_task(self._attempt(endpoint, delivery))
                flying.add(task)
                self._flying[task] = delivery.partition
                task.add_done_callback(flying.discard)
                task.add_done_callback(self._flying.pop)
                task.add_done_callback(lambda _: wake.set())
            due = outbox.next_at(name)
            free = len(flying) < pace.width(endpoint.concurrency)
            pause = None if due is None or not free else (max(due, pace.held_until) - now_us()) / 1_000_000
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(pause):
                    await wake.wait()

    async def land(self, partitions: Collection[int] | None = None) -> None:
        """Let attempts of these partitions, or all, finish for a moment, and end those that do not."""
        tasks = [task for task, number in self._flying.items() if partitions is None or number in partitions]
        if not tasks:
            return
        _, late = await asyncio.wait(tasks, timeout=LAST_SECONDS)
        for task in late:
            task.cancel()
        await asyncio.gather(*late, return_exceptions=True)

    async def _attempt(self, endpoint: Endpoint, delivery: Delivery) -> None:
        outcome = None
        if self._book.health.disabled(endpoint.name):
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

    async def _note(self, endpoint: Endpoint, then: Delivery, outcome: Outcome | None) -> None:
        metrics.webhook_deliveries.labels("retried" if then.state == "pending" else then.state).inc()
        if outcome is not None:
            metrics.webhook_seconds.observe(outcome.took)
            self._paces[endpoint.name] = self._paces[endpoint.name].after(outcome, then.at, self._tuning)
            changed = self._book.health.after(endpoint.name, outcome, then.at, self._tuning)
            if changed is not None:
                await self._note_endpoint(changed)
        await self._recorder.write(then)
        outbox = self._book.outbox
        if then.webhook_id not in outbox:
            return
        if then.state == "pending":
            outbox.put(then)
        else:
            outbox.done(then.webhook_id)

    async def _note_endpoint(self, state: EndpointState) -> None:
        self._book.health.learn(state)
        if state.state == "disabled":
            log.warning(
                "endpoint %s is disabled: %s; `tillstream webhook test %s` enables it once it answers",
                state.endpoint, state.reason, state.endpoint,
            )  # fmt: skip
        else:
            log.warning("endpoint %s is %s %s", state.endpoint, state.state, state.reason)
        await self._recorder.write(state)
