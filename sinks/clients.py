"""What a consumer of aiokafka needs done around it: whether it has silently ended, and how it is left."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Any

from aiokafka.errors import KafkaError


def reads_no_more(consumer: Any) -> bool:
    """Whether a task of aiokafka's has ended that it cannot read on without: fetching, or asking for metadata."""
    return bool(consumer._fetcher.error_future.done() or consumer._client._sync_task.done())  # noqa: SLF001  # it tells nobody


async def stopped_within(stop: asyncio.Event, seconds: float) -> bool:
    """Whether `stop` is set by then; returns as soon as it is."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await stop.wait()
    return stop.is_set()


async def leave(consumer: Any) -> None:
    """Stop a consumer, also one whose own task has ended: `stop` raises then, once it has left the group.

    It raises even CancelledError, where a fetch of that task was cancelled: let through, it would end this task as if
    somebody had asked for it, and nobody would notice.
    """
    client = consumer._client  # noqa: SLF001  # closed here where `stop` does not come to it
    if client._sync_task is not None and client._sync_task.done():  # noqa: SLF001  # `close` would raise what ended it
        client._sync_task = None  # noqa: SLF001  # likewise
    try:
        await consumer.stop()
    except (KafkaError, asyncio.CancelledError) as fault:
        task = asyncio.current_task()
        if isinstance(fault, asyncio.CancelledError) and (task is None or task.cancelling()):
            raise
        await client.close()
