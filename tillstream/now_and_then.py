"""Do something again and again beside the real work, which it can never hold up."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable

log = logging.getLogger(__name__)

# What has no answer by then is given up until the next turn.
LONGEST_SECONDS = 30.0


async def now_and_then(
    work: Callable[[], Awaitable[None]], seconds: float, stop: asyncio.Event, longest: float = LONGEST_SECONDS
) -> None:
    """Do `work`, pause, and again, until `stop`, which interrupts it; a turn that fails or hangs is left out."""
    turns = asyncio.create_task(_turns(work, seconds, longest))
    asked = asyncio.create_task(stop.wait())
    try:
        await asyncio.wait({turns, asked}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        turns.cancel()
        asked.cancel()
        await asyncio.gather(turns, asked, return_exceptions=True)


async def _turns(work: Callable[[], Awaitable[None]], seconds: float, longest: float) -> None:
    while True:
        try:
            async with asyncio.timeout(longest):
                await work()
        except Exception as fault:  # noqa: BLE001  # no figure is worth a role that stops working
            log.debug("left out: %s: %s", type(fault).__name__, fault)
        await asyncio.sleep(seconds)
