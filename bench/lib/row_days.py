"""Rows of totals as figures in files, a file a day of the chain, and comparing what was wanted with what was found.

A row's key is its store, window and SKU in one number. What a store's window says of its receipts is a row too, of a
SKU that nobody sells: ITS_RECEIPTS.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from lib.tills import DAY, WINDOW, Array

FIGURES = ("units", "returned", "revenue", "discount", "tax", "receipts")
ROW = np.dtype([("key", "i8"), ("version", "i8"), *((name, "i8") for name in FIGURES)])
ITS_RECEIPTS = 2**16 - 1
_WINDOWS_A_DAY = DAY // WINDOW


def keys(store: Array, window: Array, sku: Array) -> Array:
    """One number a row; all three count from 0, windows from the chain's first midnight."""
    return (np.asarray(store, "i8") << 32) | (np.asarray(window, "i8") << 16) | np.asarray(sku, "i8")


def summed(rows: Array) -> Array:
    """Add up rows of the same key, in the order of keys; versions mean nothing then."""
    ordered = rows[np.argsort(rows["key"], kind="stable")]
    first = np.flatnonzero(np.diff(ordered["key"], prepend=-1))
    found = ordered[first]
    for name in FIGURES:
        found[name] = np.add.reduceat(ordered[name], first) if len(first) else ordered[name]
    return found


def newest(rows: Array) -> Array:
    """Of each key the row of the largest version, in the order of keys."""
    ordered = rows[np.lexsort((rows["version"], rows["key"]))]
    return ordered[np.flatnonzero(np.diff(ordered["key"], append=-1))]


def differences(wanted: Array, found: Array) -> int:
    """How many rows are missing, too many, or not the same; both in the order of keys, one row a key."""
    _, ours, theirs = np.intersect1d(wanted["key"], found["key"], assume_unique=True, return_indices=True)
    same = np.ones(len(ours), dtype=bool)
    for name in FIGURES:
        same &= wanted[name][ours] == found[name][theirs]
    return len(wanted) + len(found) - 2 * len(ours) + int((~same).sum())


class RowDays:
    """Rows in a folder, by the day of their window, so that no day's comparison needs more than a day in memory."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        folder.mkdir(parents=True, exist_ok=True)

    def add(self, rows: Array) -> None:
        """Write rows down, each with its day's."""
        day = ((rows["key"] >> 16) & 0xFFFF) // _WINDOWS_A_DAY
        for one in np.unique(day).tolist():
            with (self._folder / str(one)).open("ab") as file:
                rows[day == one].tofile(file)

    def days(self) -> set[int]:
        """The days of which there are rows."""
        return {int(file.name) for file in self._folder.iterdir()}

    def rows(self, day: int) -> Array:
        """All rows of a day, in the order in which they came; none where there are none."""
        file = self._folder / str(day)
        return np.fromfile(file, ROW) if file.exists() else np.zeros(0, ROW)
