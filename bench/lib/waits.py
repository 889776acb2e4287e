"""How long each of many things took to be seen by somebody who looks again and again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np


def waits(
    acknowledged: Sequence[tuple[float, int, int]], seen: Sequence[tuple[float, Mapping[int, int]]], warm_up: float
) -> np.ndarray[Any, Any]:
    """Seconds from each acknowledgement to the first look that found it; those of the first `warm_up` seconds left out.

    `acknowledged` are (moment, partition, offset); `seen` are looks in the order of time, (moment, largest offset that
    was found by partition), the last of which found everything.
    """
    moments = np.array([moment for moment, _ in seen])
    found = []
    for partition in {partition for _, partition, _ in acknowledged}:
        readable = np.array([offsets.get(partition, -1) for _, offsets in seen])
        own = [(moment, offset) for moment, its, offset in acknowledged if its == partition]
        at, offset = np.array([moment for moment, _ in own]), np.array([offset for _, offset in own])
        found.append(np.stack([at, moments[np.searchsorted(readable, offset)] - at]))
    at, wait = np.concatenate(found, axis=1)
    return wait[at >= at.min() + warm_up]
