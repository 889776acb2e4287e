"""Lets others have their turn in the midst of long work, but not after each piece of it: each turn may be long, too."""

from __future__ import annotations

import asyncio

LONGEST = 0.005


class Turns:
    """Of one piece of work, which begins here."""

    def __init__(self) -> None:
        self._clock = asyncio.get_running_loop().time
        self._since = self._clock()

    async def give(self) -> None:
        """Let others go on, if it is their turn."""
        if self._clock() - self._since >= LONGEST:
            await asyncio.sleep(0)
            self._since = self._clock()
