"""Which deliveries `webhook.deliveries` need no longer keep: they get a tombstone, and compaction removes them. Pure.

A final delivery stays for as long as anything can need it:

- the sender, so that its alert, read again, makes no second one: until the alert is too old to be sent;
- `tillstream webhook replay`, which takes it from the log: as long as `asked_for_until` says;
- a start of the sender whose group the broker forgot: that goes on at the newest alert of a partition that made one.
"""

from __future__ import annotations

import heapq

from schemas.delivery import OPEN, Delivery
from sinks.webhooks.endpoint import DAY

# Days in which somebody mends a receiver and asks for what it has missed.
FAILED_KEPT = 14 * DAY
FAILED = ("failed", "disabled")

_Entry = tuple[int, str, int]  # when it is forgotten, its id, and its alert's offset


def asked_for_until(delivery: Delivery, max_age: int) -> int:
    """Until when a final delivery may be asked for again, in microseconds."""
    kept = max(FAILED_KEPT, max_age) if delivery.state in FAILED else max_age
    return max(delivery.at, delivery.occurred_at) + kept


class Forgetting:
    """Final deliveries of our partitions, as the log has them, and when each gets its tombstone.

    That is `margin` later than anybody may ask for it: so none follows a request that we have not read yet.
    """

    def __init__(self, max_age: int, margin: int) -> None:
        self._max_age = max_age
        self._margin = margin
        self._until: dict[str, int] = {}
        # Entries of which `_until` says something else are passed over when they come up.
        self._queues: dict[int, list[_Entry]] = {}
        self._newest: dict[int, int] = {}
        self._held: dict[int, list[_Entry]] = {}

    def __len__(self) -> int:
        return len(self._until)

    def learn(self, delivery: Delivery) -> None:
        """Take up what stands in the log, in its order."""
        queue = self._queues.setdefault(delivery.partition, [])
        if delivery.offset > self._newest.get(delivery.partition, -1):
            self._newest[delivery.partition] = delivery.offset
            for entry in self._held.pop(delivery.partition, []):
                heapq.heappush(queue, entry)
        if delivery.state in OPEN:
            self._until.pop(delivery.webhook_id, None)
            return
        until = asked_for_until(delivery, self._max_age) + self._margin
        self._until[delivery.webhook_id] = until
        heapq.heappush(queue, (until, delivery.webhook_id, delivery.offset))

    def forgotten(self, webhook_id: str) -> None:
        """A tombstone stands in the log."""
        self._until.pop(webhook_id, None)

    def due(self, partition: int, now: int, most: int) -> list[str]:
        """Ids of a partition that are to get their tombstone now, after looking at `most` at most.

        Each is given once; those of the newest alert only once there is a newer one.
        """
        queue = self._queues.get(partition, [])
        found: list[str] = []
        for _ in range(most):
            if not queue or queue[0][0] > now:
                break
            entry = heapq.heappop(queue)
            until, webhook_id, offset = entry
            if self._until.get(webhook_id) != until:
                continue
            if offset >= self._newest[partition]:
                self._held.setdefault(partition, []).append(entry)
                continue
            del self._until[webhook_id]
            found.append(webhook_id)
        return found

    def drop(self, partition: int) -> None:
        """Forget a partition: it is no longer ours."""
        for _, webhook_id, _ in self._queues.pop(partition, []) + self._held.pop(partition, []):
            self._until.pop(webhook_id, None)
        self._newest.pop(partition, None)
