"""aiokafka leaves a group whose generation is 0, too: the embedded broker counts from there, Apache Kafka from 1.

It takes 0 for no generation at all and goes without a word; its successor then waits until the broker misses it, which
the embedded one takes two sessions for.
"""

from __future__ import annotations

from aiokafka.consumer import consumer
from aiokafka.consumer.group_coordinator import GroupCoordinator


class Coordinator(GroupCoordinator):  # type: ignore[misc]  # aiokafka has no types
    """A coordinator that says when it leaves."""

    generation: int

    async def _maybe_leave_group(self) -> None:
        if self.generation == 0:
            self.generation = 1  # forgotten right after: a member leaves by its id, not by a generation
        await super()._maybe_leave_group()


def mend() -> None:
    """Let every consumer that is made from now on have such a coordinator."""
    consumer.GroupCoordinator = Coordinator
