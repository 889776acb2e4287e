"""Which webhook-ids stand in the log, as far as an alert that is read now could make one of them again. Pure."""

from __future__ import annotations

from schemas.delivery import Delivery

_FEW = 10_000


class Known:
    """Ids of alerts that are not older than `kept` microseconds: an older alert makes no delivery that is sent."""

    def __init__(self, kept: int) -> None:
        self._kept = kept
        self._ids: dict[str, tuple[int, int]] = {}  # partition, and when the alert's state began
        self._newest: dict[int, Delivery] = {}
        self._forget_at = _FEW

    def __contains__(self, webhook_id: object) -> bool:
        return webhook_id in self._ids

    def add(self, delivery: Delivery) -> None:
        """Take up what stands in the log."""
        self._ids[delivery.webhook_id] = (delivery.partition, delivery.occurred_at)
        newest = self._newest.get(delivery.partition)
        if newest is None or delivery.offset >= newest.offset:
            self._newest[delivery.partition] = delivery

    def newest(self, partition: int) -> Delivery | None:
        """The delivery of the alert with the largest offset."""
        return self._newest.get(partition)

    def forget(self, now: int) -> None:
        """Drop what is too old; looks at all of them, so that it does so only when they have doubled."""
        if len(self._ids) < self._forget_at:
            return
        self._ids = {name: one for name, one in self._ids.items() if one[1] >= now - self._kept}
        self._forget_at = max(_FEW, 2 * len(self._ids))

    def drop(self, partition: int) -> None:
        """Forget a partition."""
        self._newest.pop(partition, None)
        self._ids = {name: one for name, one in self._ids.items() if one[0] != partition}
