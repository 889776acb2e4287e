"""What is to be sent, by endpoint: who is next, and who must wait for whom. Pure.

Of one alert at one endpoint only the smallest sequence that is neither delivered nor given up may go out.
"""

from __future__ import annotations

import heapq
import itertools
from bisect import insort
from collections.abc import Iterator

from schemas.delivery import Delivery

_Chain = tuple[str, str]


class Outbox:
    """Open deliveries of the partitions that are ours; each is waiting or under way."""

    def __init__(self) -> None:
        self._open: dict[str, Delivery] = {}
        self._chains: dict[_Chain, list[tuple[int, str]]] = {}
        self._under_way: set[str] = set()
        # Entries that no longer say what is true are passed over when they come up.
        self._due: dict[str, list[tuple[int, int, str]]] = {}
        self._count = itertools.count()

    def __len__(self) -> int:
        return len(self._open)

    def __contains__(self, webhook_id: object) -> bool:
        return webhook_id in self._open

    def is_under_way(self, webhook_id: str) -> bool:
        """Whether an attempt is being made."""
        return webhook_id in self._under_way

    def put(self, delivery: Delivery) -> None:
        """Add an open delivery, or put one back after an attempt, or change when it is due."""
        chain = self._chains.setdefault(_chain(delivery), [])
        if delivery.webhook_id not in self._open:
            insort(chain, (delivery.sequence, delivery.webhook_id))
        self._open[delivery.webhook_id] = delivery
        self._under_way.discard(delivery.webhook_id)
        self._queue_first(chain)

    def done(self, webhook_id: str) -> None:
        """Forget a delivery that is final: the next sequence of its alert may go out."""
        delivery = self._open.pop(webhook_id, None)
        if delivery is None:
            return
        self._under_way.discard(webhook_id)
        chain = self._chains[_chain(delivery)]
        chain.remove((delivery.sequence, webhook_id))
        if chain:
            self._queue_first(chain)
        else:
            del self._chains[_chain(delivery)]

    def take(self, endpoint: str, now: int) -> Delivery | None:
        """The delivery that is to be attempted next, if one is due; it is under way until it is put back or done."""
        due = self.next_at(endpoint)
        if due is None or due > now:
            return None
        _, _, webhook_id = heapq.heappop(self._due[endpoint])
        self._under_way.add(webhook_id)
        return self._open[webhook_id]

    def next_at(self, endpoint: str) -> int | None:
        """When the next attempt is due; None: nothing waits."""
        queue = self._due.get(endpoint, [])
        while queue:
            at, _, webhook_id = queue[0]
            if self._is_next(webhook_id, at):
                return at
            heapq.heappop(queue)
        return None

    def drop(self, partition: int) -> None:
        """Forget all that stands in a partition: it is no longer ours."""
        for webhook_id in [one.webhook_id for one in self._open.values() if one.partition == partition]:
            self.done(webhook_id)

    def of_partition(self, partition: int) -> Iterator[Delivery]:
        """Its open deliveries."""
        return (one for one in self._open.values() if one.partition == partition)

    def _queue_first(self, chain: list[tuple[int, str]]) -> None:
        first = self._open[chain[0][1]]
        if not self._any_under_way(chain):
            entry = (first.next_at, next(self._count), first.webhook_id)
            heapq.heappush(self._due.setdefault(first.endpoint, []), entry)

    def _any_under_way(self, chain: list[tuple[int, str]]) -> bool:
        return any(webhook_id in self._under_way for _, webhook_id in chain)

    def _is_next(self, webhook_id: str, at: int) -> bool:
        delivery = self._open.get(webhook_id)
        if delivery is None or delivery.next_at != at:
            return False
        chain = self._chains[_chain(delivery)]
        return chain[0][1] == webhook_id and not self._any_under_way(chain)


def _chain(delivery: Delivery) -> _Chain:
    return delivery.endpoint, delivery.alert_id
