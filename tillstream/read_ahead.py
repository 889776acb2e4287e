"""Take from a blocking iterator in a thread of its own, so that the event loop stays free.

What there is is handed on at once, in order: a slow source (a pipe from a till) is not held back until a chunk is
full, and a fast one does not run further ahead than `most` items.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncGenerator, Iterable
from typing import Generic, TypeVar

T = TypeVar("T")


class _Buffer(Generic[T]):
    """Shared by the reading thread and the event loop; everything in it is guarded by `changed`."""

    def __init__(self, most: int) -> None:
        self.changed = threading.Condition()
        self.items: list[T] = []
        self.most = most
        self.ended = False
        self.fault: BaseException | None = None


async def read_ahead(source: Iterable[T], most: int) -> AsyncGenerator[list[T], None]:
    """Lists of one to `most` items; an error of the source is raised here, after the items before it."""
    loop = asyncio.get_running_loop()
    buffer: _Buffer[T] = _Buffer(most)
    ready = asyncio.Event()
    # Daemon: a read from a pipe that nobody writes to cannot be interrupted, and must not keep the process alive.
    threading.Thread(target=_read, args=(source, buffer, loop, ready), name="read-ahead", daemon=True).start()
    try:
        while True:
            await ready.wait()
            with buffer.changed:
                items, buffer.items = buffer.items, []
                ended, fault = buffer.ended, buffer.fault
                ready.clear()
                buffer.changed.notify()
            if items:
                yield items
            if fault is not None:
                raise fault
            if ended:
                return
    finally:
        with buffer.changed:
            buffer.ended = True
            buffer.changed.notify()


def _read(source: Iterable[T], buffer: _Buffer[T], loop: asyncio.AbstractEventLoop, ready: asyncio.Event) -> None:
    fault: BaseException | None = None
    try:
        for item in source:
            with buffer.changed:
                while len(buffer.items) >= buffer.most and not buffer.ended:
                    buffer.changed.wait()
                if buffer.ended:
                    return
                buffer.items.append(item)
                first = len(buffer.items) == 1
            if first:
                _wake(loop, ready)
    except BaseException as raised:  # noqa: BLE001  # handed to the event loop, which raises it
        fault = raised
    with buffer.changed:
        buffer.ended, buffer.fault = True, fault
    _wake(loop, ready)


def _wake(loop: asyncio.AbstractEventLoop, ready: asyncio.Event) -> None:
    try:
        loop.call_soon_threadsafe(ready.set)
    except RuntimeError:  # the loop is closed: nobody waits any more
        return
