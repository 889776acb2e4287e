"""`tillstream` as other programs see it: a process with lines on both its streams, and what it leaves behind."""

from __future__ import annotations

import queue
import subprocess
import sys
import threading
import time
from contextlib import contextmanager

import psutil

LIMIT = 60.0
STOPS_WITHIN = 10.0


class Program:
    """A running `tillstream`; `lines` has what it has printed so far on standard output and standard error."""

    def __init__(self, arguments, environment, **options):
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tillstream", *arguments],
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            **options,
        )
        self.out: list[str] = []
        self.err: list[str] = []
        self._news: queue.Queue[None] = queue.Queue()
        self._readers = [
            threading.Thread(target=self._read, args=pair, daemon=True)
            for pair in ((self.process.stdout, self.out), (self.process.stderr, self.err))
        ]
        for reader in self._readers:
            reader.start()

    def _read(self, stream, lines):
        for line in stream:
            lines.append(line.rstrip("\n"))
            self._news.put(None)
        self._news.put(None)

    def says(self, text, lines=None):
        """Return once a line holds the text; on standard error unless `lines` says otherwise."""
        lines = self.err if lines is None else lines
        deadline = time.monotonic() + LIMIT
        while not any(text in line for line in lines):
            ended = self.process.poll() is not None and not any(reader.is_alive() for reader in self._readers)
            if ended and not any(text in line for line in lines):
                raise AssertionError(f"ended with {self.process.returncode} without {text!r}:\n{self.everything()}")
            try:
                self._news.get(timeout=max(0.0, deadline - time.monotonic()))
            except queue.Empty:
                raise AssertionError(f"no {text!r} within {LIMIT} s:\n{self.everything()}") from None

    def ends(self, number=None, within=STOPS_WITHIN):
        """Send a signal if one is given, and give the exit code; fails after `within` seconds."""
        if number is not None:
            self.process.send_signal(number)
        code = self.process.wait(within)
        for reader in self._readers:
            reader.join(LIMIT)
        return code

    def children(self):
        """Its children by what their command lines begin with: broker, clickhouse, journal, worker, sink."""
        found = {}
        for child in psutil.Process(self.process.pid).children():
            words = " ".join(child.cmdline()[1:4])
            name = next(part for part in ("clickhouse", "journal", "broker", "worker", "sink") if part in words)
            found[name] = child
        return found

    def everything(self):
        return "\n".join(["-- out", *self.out, "-- err", *self.err])


@contextmanager
def program(arguments, environment, **options):
    """Run `tillstream` with these arguments; it and its children are killed in the end, whatever happened."""
    running = Program(arguments, environment, **options)
    try:
        yield running
    finally:
        if running.process.poll() is None:
            family = psutil.Process(running.process.pid).children(recursive=True)
            running.process.kill()
            running.process.wait()
            psutil.wait_procs(family, timeout=LIMIT)


def none_left(processes):
    """Whether all these processes have ended, or do so in a moment; one that nobody has reaped yet has ended."""
    _, alive = psutil.wait_procs(processes, timeout=STOPS_WITHIN)
    return all(process.status() == psutil.STATUS_ZOMBIE for process in alive if process.is_running())
