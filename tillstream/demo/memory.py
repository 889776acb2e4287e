"""How much memory each part holds."""

from __future__ import annotations

import os
from collections.abc import Mapping

import psutil


def resident(pids: Mapping[str, int]) -> dict[str, int]:
    """Resident bytes by part, this process among them; a part that has just ended is left out."""
    found = {}
    for part, pid in {**pids, "demo": os.getpid()}.items():
        try:
            found[part] = int(psutil.Process(pid).memory_info().rss)
        except psutil.NoSuchProcess:
            continue
    return found
