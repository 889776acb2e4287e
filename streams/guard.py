"""Runs what a worker does beside Faust, and ends the worker where it fails: no task ends unseen."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

from schemas.errors import Again, Stop

log = logging.getLogger(__name__)


async def guarded(work: Coroutine[Any, Any, None], what: str, crash: Callable[[BaseException], Awaitable[Any]]) -> None:
    """Run it until it ends or is cancelled; any fault is handed to `crash`.

    So is a cancellation that nobody has asked of this task: a task of Kafka's client that ends hands it on to whoever
    waits for it, and it would end this one as if somebody had.
    """
    try:
        await work
    except asyncio.CancelledError:
        own = asyncio.current_task()
        if own is None or own.cancelling():
            raise
        await crash(Again(f"Kafka's client cancelled what {what} waited for."))
    except Stop as stop:
        await crash(stop)
    except Exception as fault:
        log.exception("%s failed", what)
        await crash(fault)
