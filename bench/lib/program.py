"""A program that takes part: a process whose output is listened to for the moment in which it is ready."""

from __future__ import annotations

import os
import subprocess
import threading
import time
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Self

import psutil

from tillstream.local.launch import die_with_parent


class Program:
    """`with Program(argv, environment, is_ready) as program:`; it ends with the block, and with this process.

    `begun` is the moment of the first line of output for which `is_ready` says so (time.monotonic), None before.
    """

    def __init__(self, argv: list[str], environment: Mapping[str, str], is_ready: Callable[[str], bool]) -> None:
        self.begun: float | None = None
        self.said: list[str] = []
        self._argv = argv
        self._environment = {**os.environ, **environment}
        self._is_ready = is_ready
        self._process: subprocess.Popen[str] | None = None

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(
            self._argv, env=self._environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
            preexec_fn=die_with_parent(),  # noqa: PLW1509  # two system calls, no lock taken
        )  # fmt: skip
        threading.Thread(target=self._listen, daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, fault: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._process is not None
        self._process.terminate()
        try:
            self._process.wait(15)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def check(self) -> None:
        """End the benchmark with what it said last where it has ended by itself."""
        assert self._process is not None
        if self._process.poll() is not None:
            raise SystemExit(f"{self._argv[0]} ended by itself: {self.last_words()}")

    def ended(self) -> bool:
        """Whether it has ended by itself, and well; ends the benchmark with what it said last where not well."""
        assert self._process is not None
        if self._process.poll():
            self.check()
        return self._process.poll() is not None

    def last_words(self) -> str:
        """The end of its output."""
        return "".join(self.said[-20:])

    def cpu_seconds(self) -> float:
        """User and system time since it was started."""
        times = self._asked().cpu_times()
        return times.user + times.system

    def memory(self) -> int:
        """Resident bytes."""
        return self._asked().memory_info().rss

    def _asked(self) -> psutil.Process:
        assert self._process is not None
        return psutil.Process(self._process.pid)

    def _listen(self) -> None:
        assert self._process is not None
        for line in self._process.stdout or ():
            self.said.append(line)
            if self.begun is None and self._is_ready(line):
                self.begun = time.monotonic()
