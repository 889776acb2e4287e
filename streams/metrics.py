"""What the fold reports; the metrics themselves land with the sinks'."""

from __future__ import annotations

from streams.fold import Fold
from streams.state import PartitionState


def observe(state: PartitionState, done: Fold, seconds: float) -> None:
    """Report one flush."""
    del state, done, seconds
