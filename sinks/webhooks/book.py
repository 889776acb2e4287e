"""What the sender knows of its partitions, as `webhook.deliveries` tells it record by record."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from typing import Any

import msgspec
from msgspec.structs import replace

from schemas import delivery as messages
from schemas.delivery import OPEN, Delivery, EndpointState
from sinks.webhooks import strangers
from sinks.webhooks.clock import now_us
from sinks.webhooks.endpoint import HOUR, Endpoint, Tuning
from sinks.webhooks.forgetting import Forgetting
from sinks.webhooks.health import Health
from sinks.webhooks.known import Known
from sinks.webhooks.outbox import Outbox

log = logging.getLogger(__name__)


class Book:
    """Open deliveries, ids, endpoints' states; `owns` tells whether a partition is ours.

    `whole` has the partitions that were read to their end; `wakes` an event for each endpoint's task.
    """

    def __init__(
        self, endpoints: Sequence[Endpoint], max_age: int, tuning: Tuning, owns: Callable[[int], bool]
    ) -> None:
        self.endpoints = {one.name: one for one in endpoints}
        self.max_age = max_age
        self.outbox = Outbox()
        self.health = Health()
        self.known = Known(max_age + tuning.margin)
        self.forgetting = Forgetting(max_age, tuning.margin)
        self.wakes = {name: asyncio.Event() for name in self.endpoints}
        self.whole: set[int] = set()
        self.strangers: set[str] = set()
        self._tuning = tuning
        self._owns = owns
        # Open deliveries of partitions that are being read back, by partition: one may be final further on.
        self._read_back: dict[int, dict[str, Delivery]] = {}

    def take(self, record: Any) -> None:
        """One record of `webhook.deliveries`: of an earlier owner, of our own, or a request.

        A tombstone ends no open delivery: whoever wrote it had not read of a request.
        """
        if record.value is None:
            if self._owns(record.partition):
                self.forgetting.forgotten((record.key or b"").decode(errors="replace"))
            return
        try:
            message = messages.decode(record.value)
        except msgspec.MsgspecError as fault:
            log.warning("a message of %s at %d:%d is none: %s", record.topic, record.partition, record.offset, fault)
            return
        if isinstance(message, EndpointState):
            self._learn(message)
        elif self._owns(record.partition):
            self.forgetting.learn(message)
            if record.partition in self.whole:
                self._follow_up(message)
            else:
                self._remember(message)

    def begin(self, partition: int) -> None:
        """A partition was read to its end: what is still open there is to be sent."""
        self.whole.add(partition)
        for delivery in self._read_back.pop(partition, {}).values():
            self.open(delivery)

    def drop(self, partition: int) -> None:
        """Forget a partition: who owns it next reads all of it from the log."""
        self.whole.discard(partition)
        self.outbox.drop(partition)
        self.known.drop(partition)
        self.forgetting.drop(partition)
        self._read_back.pop(partition, None)

    def open(self, delivery: Delivery) -> None:
        """A delivery is to be sent."""
        if delivery.state == "requested":
            delivery = replace(delivery, attempt=0, next_at=delivery.at)
        if delivery.endpoint in self.endpoints:
            self.outbox.put(delivery)
            self.wakes[delivery.endpoint].set()
            return
        self.outbox.put(strangers.waiting(delivery, self._tuning))
        if delivery.endpoint not in self.strangers:
            self.strangers.add(delivery.endpoint)
            log.warning(
                "webhooks wait for the endpoint %s, which [[webhooks]] no longer names; they fail after %d h",
                delivery.endpoint, sum(self._tuning.delays) // HOUR,
            )  # fmt: skip

    def _learn(self, state: EndpointState) -> None:
        self.health.learn(state)
        if state.endpoint in self.wakes:
            self.wakes[state.endpoint].set()

    def _remember(self, message: Delivery) -> None:
        """A record of before: the newest of an id is the one that counts."""
        self.known.add(message)
        self.known.forget(now_us())
        found = self._read_back.setdefault(message.partition, {})
        if message.state in OPEN:
            found[message.webhook_id] = message
        else:
            found.pop(message.webhook_id, None)

    def _follow_up(self, message: Delivery) -> None:
        """A record of now: whatever we wrote ourselves we have done already."""
        if self.outbox.is_under_way(message.webhook_id):
            return
        if message.state == "requested":
            self.open(message)
        elif message.state not in OPEN:
            self.outbox.done(message.webhook_id)
