"""A row of figures as a row of blocks, one character each."""

from __future__ import annotations

from collections.abc import Sequence

_BLOCKS = "▁▂▃▄▅▆▇█"


def sparkline(values: Sequence[float]) -> str:
    """Blocks between 0 and the largest value; a blank where there is nothing at all, negative ones too."""
    most = max(values, default=0)
    if most <= 0:
        return " " * len(values)
    top = len(_BLOCKS) - 1
    return "".join(_BLOCKS[round(value / most * top)] if value > 0 else " " for value in values)
