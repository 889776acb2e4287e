"""A wall clock that is wrong, and that jumps, for processes that a test starts (Linux, needs a C compiler)."""

from __future__ import annotations

import shutil
import subprocess
from datetime import timedelta
from pathlib import Path

import pytest

SOURCE = Path(__file__).with_name("clock.c")


class WrongClock:
    """`variables` go into a process's environment; `jump` sets how far its clock is ahead, at once."""

    def __init__(self, folder: Path) -> None:
        compiler = shutil.which("cc")
        if compiler is None:
            pytest.skip("needs a C compiler, for a clock that can be set")
        library = folder / "clock.so"
        subprocess.run([compiler, "-shared", "-fPIC", "-O2", "-o", str(library), str(SOURCE)], check=True)
        self._file = folder / "ahead"
        self.jump(timedelta(0))
        self.variables = {"LD_PRELOAD": str(library), "FAULTS_CLOCK": str(self._file)}

    def jump(self, ahead: timedelta) -> None:
        """Have the clock be so far ahead of the machine's; behind it where negative."""
        value = (ahead // timedelta(seconds=1)).to_bytes(8, "little", signed=True)
        with self._file.open("r+b" if self._file.exists() else "xb") as file:  # in place: it is mapped
            file.write(value)
