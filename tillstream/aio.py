"""Run a coroutine, on uvloop where the machine has it."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

from tillstream import aiokafka_leaving, aiokafka_on_uvloop

T = TypeVar("T")


def run(main: Coroutine[Any, Any, T]) -> T:
    """Run `main` to its end and return what it returns."""
    aiokafka_leaving.mend()
    try:
        import uvloop
    except ImportError:  # Windows has none
        return asyncio.run(main)
    aiokafka_on_uvloop.mend()
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(main)
