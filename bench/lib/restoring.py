"""A worker that reads its state back, says how long that took, and ends: the program, timed by Faust's own signals.

It is tillstream's worker, by `streams.app`, with the environment's settings. Prints JSON: seconds from the assignment
until the fold could begin, those of them until the changelog was read, rows and windows that are open then, and by how
many bytes its memory grew.
"""

from __future__ import annotations

import asyncio
import json
import logging
import sys
import time
from typing import Any

import msgspec
import psutil

from schemas.topics import FIRST_EPOCH
from streams.app import make_app, run_app
from tillstream import aio
from tillstream import settings as settings_module
from tillstream.roles import worker_config


def open_rows(record: bytes) -> int:
    """How many rows stand in a window's record."""
    rows = msgspec.msgpack.decode(record, strict=False)[3]
    return sum(len(skus) for days in rows.values() for skus in days.values())


async def restore() -> dict[str, Any]:
    stop = asyncio.Event()
    found: dict[str, Any] = {}
    memory = psutil.Process().memory_info

    def ready() -> None:
        states = [task.state for task in app.folding.tasks.values()]
        if not states:
            return
        found["seconds"] = time.monotonic() - found["assigned"]
        found["memory"] = memory().rss - found["memory"]
        windows = [window for state in states for store in state.stores.values() for window in store.windows.values()]
        found["windows"] = len(windows)
        found["rows"] = sum(open_rows(window.value) for window in windows)
        stop.set()

    app = make_app(worker_config(settings_module.load(), FIRST_EPOCH), ready)

    async def assigned(*_: Any, **__: Any) -> None:
        found.update(assigned=time.monotonic(), memory=memory().rss)

    async def read(*_: Any, **__: Any) -> None:
        found["read"] = time.monotonic() - found["assigned"]

    app.on_partitions_assigned.connect(assigned)
    app.on_rebalance_complete.connect(read)
    await run_app(app, stop)
    return {name: found[name] for name in ("seconds", "read", "rows", "windows", "memory")}


if __name__ == "__main__":
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)
    sys.stdout.write(json.dumps(aio.run(restore())) + "\n")
