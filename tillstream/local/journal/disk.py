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
    """A folder of the system's, made where it is missing.

    The file that is written stays open: what goes wrong when the system writes it out later is told to whoever syncs
    the same open file, and not for sure to one who opens it then.
    """

    def __init__(self, path: Path) -> None:
        path.mkdir(parents=True, exist_ok=True)
        for parent in (path.parent, path.parent.parent):
            _sync(parent)
        self._path = path
        self._name, self._file = "", -1

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
        rest = memoryview(data)
        while rest:
            rest = rest[os.write(self._opened(name), rest) :]

    def truncate(self, name: str, size: int) -> None:
        """Cut a file."""
        os.ftruncate(self._opened(name), size)

    def remove(self, name: str) -> None:
        """Delete a file."""
        if self._name == name:
            self.close()
        (self._path / name).unlink()

    def sync(self, name: str) -> None:
        """Return once a file's data and length are on the disk."""
        os.fsync(self._opened(name))

    def sync_folder(self) -> None:
        """Return once the folder's list of files is on the disk."""
        _sync(self._path)

    def close(self) -> None:
        """Close the file that was written last."""
        if self._file >= 0:
            os.close(self._file)
        self._name, self._file = "", -1

    def _opened(self, name: str) -> int:
        if self._name != name:
            self.close()
            self._file = os.open(self._path / name, os.O_WRONLY | os.O_APPEND)
            self._name = name
        return self._file


def _sync(folder: Path) -> None:
    file = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(file)
    finally:
        os.close(file)
