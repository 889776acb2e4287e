"""Roles as processes that a fault can kill, freeze and thaw; what they say goes to files, and is waited for there."""

from __future__ import annotations

import asyncio
import re
import signal
import subprocess
import sys
import time
from contextlib import contextmanager

# Seconds after which the broker gives up a silent worker, where a test says nothing else.
SESSION = 3.0
FOLDING = r"folding partitions \d"


class Program:
    """One role; `log` is the file that its output goes to."""

    def __init__(self, name, environment, log) -> None:
        self.log = log
        with log.open("wb") as out:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "tests.faults.launcher", name],
                env=environment, stdout=out, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL,
            )  # fmt: skip

    @property
    def alive(self):
        """Whether it still runs (frozen or not)."""
        return self.process.poll() is None

    @property
    def pid(self):
        """The process's number."""
        return self.process.pid

    def kill(self):
        """SIGKILL; returns once it has ended."""
        self.process.kill()
        self.process.wait(30)

    def freeze(self):
        """SIGSTOP."""
        self.process.send_signal(signal.SIGSTOP)

    def thaw(self):
        """SIGCONT."""
        self.process.send_signal(signal.SIGCONT)

    def stop(self):
        """SIGTERM."""
        self.process.send_signal(signal.SIGTERM)

    def said(self):
        """All that it has written."""
        return self.log.read_text("utf-8", "replace")

    async def says(self, pattern=FOLDING, patience=90.0, times=1):
        """Wait until its output holds the pattern so many times; AssertionError if it ends or takes too long."""
        deadline = time.monotonic() + patience
        while self.times(pattern) < times:
            assert self.alive, f"ended with {self.process.returncode}: {self.said()[-2_000:]}"
            assert time.monotonic() < deadline, f"{pattern} is not said in {patience} s: {self.said()[-2_000:]}"
            await asyncio.sleep(0.05)  # a file has no way to tell

    def times(self, pattern=FOLDING):
        """How often its output holds the pattern by now."""
        return len(re.findall(pattern, self.said()))

    async def ended(self, patience):
        """Whether it ends within so many seconds."""
        try:
            await asyncio.to_thread(self.process.wait, patience)
        except subprocess.TimeoutExpired:
            return False
        return True


@contextmanager
def programs(environment, settings, folder, session=SESSION):
    """Gives start(name, variables) of Programs; all of them are killed at the end."""
    running: list[Program] = []
    folder.mkdir(parents=True, exist_ok=True)

    def start(name, variables=None):
        more = {"FAULTS_SESSION": str(session), **(variables or {})}
        program = Program(name, {**environment(settings), **more}, folder / f"{name}-{len(running)}.log")
        running.append(program)
        return program

    try:
        yield start
    finally:
        for program in running:
            program.kill()
