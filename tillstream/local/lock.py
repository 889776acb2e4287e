"""A folder belongs to one process at a time: a lock that the system drops when its holder dies."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path
from typing import IO

from schemas.errors import Stop

MOST_PARTS = 256


class FolderLock:
    """Hold `folder` until `release`; the lock file says in a number which process has it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._file: IO[str] | None = None

    def try_acquire(self) -> bool:
        """Take it; False where another process has it. Raises Stop where the folder cannot be written."""
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            file = (self.folder / "lock").open("a+", encoding="ascii")
        except OSError as fault:
            raise Stop(
                f"{self.folder} cannot be used: {fault.strerror}.",
                "Choose another folder with TILLSTREAM_DATA_DIR or --data-dir.",
            ) from None
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            file.close()
            return False
        file.truncate(0)
        file.write(str(os.getpid()))
        file.flush()
        self._file = file
        return True

    def acquire(self) -> FolderLock:
        """Take it, or raise Stop naming the process that has it."""
        if not self.try_acquire():
            holder = (self.folder / "lock").read_text("ascii") or "unknown"
            raise Stop(
                f"{self.folder} is in use by process {holder}.",
                "Stop that one first, or choose another folder with TILLSTREAM_DATA_DIR or --data-dir.",
            )
        return self

    def release(self) -> None:
        """Give it back."""
        if self._file is not None:
            self._file.close()
            self._file = None


def own_part(data_dir: Path, role: str) -> FolderLock:
    """A part of the data folder for one of several processes of a role: the first that no other one has."""
    for number in range(MOST_PARTS):
        lock = FolderLock(data_dir / f"{role}-{number}")
        if lock.try_acquire():
            return lock
    raise Stop(f"{data_dir} holds {MOST_PARTS} running {role}s.", "Set TILLSTREAM_DATA_DIR to another folder.")
