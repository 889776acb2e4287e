"""Run programs as children: start a crashed one again, stop all of them in order, leave none behind."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

from schemas.errors import Stop
from tillstream.local.launch import die_with_parent

log = logging.getLogger(__name__)

# sysexits.h's EX_CONFIG: a role ends with it when no retry can mend what it has just said.
UNMENDABLE = 78
FIRST_PAUSE = 1.0
LONGEST_PAUSE = 30.0
STEADY_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Child:
    """A program to run.

    `log` None sends its output to this process's standard error. `obituary`, where given, is the Stop that
    ends everything when this child ends by itself; without it the child is started again. `patience` is how many
    seconds it has between SIGTERM and SIGKILL; 0 kills at once one that has nothing to put in order.
    """

    name: str
    argv: list[str]
    environment: Mapping[str, str]
    patience: float
    log: Path | None = None
    obituary: Stop | None = None


class Supervisor:
    """Children in the order in which they were started; they are stopped in the order of `stop`.

    `on_end` is told the process id of each child that ends, however it does.
    """

    def __init__(self, on_end: Callable[[int], None] = lambda _: None) -> None:
        self._on_end = on_end
        self._processes: dict[str, asyncio.subprocess.Process] = {}
        self._children: dict[str, Child] = {}
        self._watchers: dict[str, asyncio.Task[None]] = {}
        self._stopping = asyncio.Event()
        self.failed: asyncio.Future[Stop] = asyncio.get_running_loop().create_future()

    async def start(self, child: Child) -> None:
        """Start a child and watch it from now on."""
        self._children[child.name] = child
        await self._spawn(child)
        self._watchers[child.name] = asyncio.create_task(self._watch(child), name=f"watch {child.name}")

    def pids(self) -> dict[str, int]:
        """Process ids of the children that run."""
        return {name: process.pid for name, process in self._processes.items() if process.returncode is None}

    async def stop(self, order: list[str], at_once: Collection[str] = ()) -> None:
        """SIGTERM each child in `order`, the next once it has ended; SIGKILL what outlives its patience.

        Those of `at_once` are killed without being asked.
        """
        self._stopping.set()
        for name in [*order, *(name for name in self._processes if name not in order)]:
            if name in self._processes:
                await self._end(name, 0.0 if name in at_once else self._children[name].patience)
        for watcher in self._watchers.values():
            watcher.cancel()
        await asyncio.gather(*self._watchers.values(), return_exceptions=True)

    async def _end(self, name: str, patience: float) -> None:
        process = self._processes[name]
        if process.returncode is not None:
            return
        _signal(process, signal.SIGTERM if patience else signal.SIGKILL)
        try:
            async with asyncio.timeout(patience or None):
                await process.wait()
        except TimeoutError:
            log.warning("%s did not stop within %.1f s and is killed", name, patience)
            _signal(process, signal.SIGKILL)
            await process.wait()

    async def _spawn(self, child: Child) -> asyncio.subprocess.Process:
        if child.log is not None:
            child.log.parent.mkdir(parents=True, exist_ok=True)
        out = sys.stderr.fileno() if child.log is None else os.open(child.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        try:
            process = await asyncio.create_subprocess_exec(
                *child.argv,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
                env=dict(child.environment),
                # A session of its own: Ctrl-C in the terminal reaches only us, and we stop them in order.
                start_new_session=True,
                preexec_fn=die_with_parent(),
            )
        finally:
            if child.log is not None:
                os.close(out)
        self._processes[child.name] = process
        return process

    async def _watch(self, child: Child) -> None:
        pause = 0.0
        while True:
            begun = time.monotonic()
            process = self._processes[child.name]
            code = await process.wait()
            self._on_end(process.pid)
            if self._stopping.is_set():
                return
            if child.obituary is not None or code == UNMENDABLE:
                self._fail(child.obituary or _no_use(child))
                return
            pause = pause_after(pause, time.monotonic() - begun)
            log.warning("%s ended by itself (%s); it starts again in %.0f s", child.name, _how(code), pause)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(pause):
                    await self._stopping.wait()
            if self._stopping.is_set():
                return
            try:
                await self._spawn(child)
            except OSError as fault:
                self._fail(Stop(f"The {child.name} cannot be started again: {fault.strerror or fault}."))
                return

    def _fail(self, stop: Stop) -> None:
        if not self.failed.done():
            self.failed.set_result(stop)


def pause_after(previous: float, lived: float) -> float:
    """Seconds until a child starts again that ran for `lived`; twice the previous pause unless it had settled."""
    if not previous or lived >= STEADY_SECONDS:
        return FIRST_PAUSE
    return min(previous * 2, LONGEST_PAUSE)


def _no_use(child: Child) -> Stop:
    where = "above" if child.log is None else f"in {child.log}"
    return Stop(f"The {child.name} stopped, and starting it again is of no use: what mends it stands {where}.")


def _signal(process: asyncio.subprocess.Process, number: signal.Signals) -> None:
    try:
        process.send_signal(number)
    except ProcessLookupError:  # it has just ended by itself
        return


def _how(code: int) -> str:
    return f"exit code {code}" if code >= 0 else f"signal {signal.Signals(-code).name}"
