"""The little of a file system that the journal needs: files that grow at their end, in one folder."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Protocol


class Disk(Protocol):
    """One folder. All but `where` raise OSError. Nothing is sure to outlive a crash before its `sync` has returned.

    `append` may write a part before it fails. A file that was created outlives a crash only after `sync_folder`.
    """

    def where(self, name: str) -> str:
        """How to tell a person which file that is."""

    def names(self) -> list[str]:
        """The files, sorted."""

    def read(self, name: str) -> bytes:
        """All of a file."""

    def create(self, name: str) -> None:
        """Make an empty file, which must not exist."""

    def append(self, name: str, data: bytes) -> None:
        """Write at a file's end."""

    def truncate(self, name: str, size: int) -> None:
        """Cut a file."""

    def remove(self, name: str) -> None:
        """Delete a file."""

    def sync(self, name: str) -> None:
        """Return once a file's data and length are on the disk."""

    def sync_folder(self) -> None:
        """Return once the folder's list of files is on the disk."""


class Folder:
    """A folder of the system's."""

    def __init__(self, path: Path) -> None:
        path.mkdir(parents=True, exist_ok=True)
        self._path = path

    def where(self, name: str) -> str:
        """Its path."""
        return str(self._path / name)

    def names(self) -> list[str]:
        """The files, sorted."""
        return sorted(entry.name for entry in self._path.iterdir() if entry.is_file())

    def read(self, name: str) -> bytes:
        """All of a file."""
        return (self._path / name).read_bytes()

    def create(self, name: str) -> None:
        """Make an empty file, which must not exist."""
        os.close(os.open(self._path / name, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))

    def append(self, name: str, data: bytes) -> None:
        """Write at a file's end."""
        with (self._path / name).open("ab", buffering=0) as file:
            rest = memoryview(data)
            while rest:
                rest = rest[file.write(rest) :]

    def truncate(self, name: str, size: int) -> None:
        """Cut a file."""
        os.truncate(self._path / name, size)

    def remove(self, name: str) -> None:
        """Delete a file."""
        (self._path / name).unlink()

    def sync(self, name: str) -> None:
        """Return once a file's data and length are on the disk."""
        _sync(self._path / name, os.O_WRONLY)

    def sync_folder(self) -> None:
        """Return once the folder's list of files is on the disk."""
        _sync(self._path, os.O_RDONLY)


def _sync(path: Path, flags: int) -> None:
    file = os.open(path, flags)
    try:
        os.fsync(file)
    finally:
        os.close(file)
