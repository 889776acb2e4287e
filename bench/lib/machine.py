"""What the figures were measured on."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import psutil


def machine() -> str:
    """Processor, memory, Python and system, in one line."""
    model = "unknown processor"
    info = Path("/proc/cpuinfo")
    if info.exists():
        names = [
            line.split(":", 1)[1].strip() for line in info.read_text().splitlines() if line.startswith("model name")
        ]
        model = names[0] if names else model
    memory = psutil.virtual_memory().total / 1024**3
    return f"{os.cpu_count()} cores of {model}, {memory:.0f} GiB, Python {sys.version.split()[0]}, {sys.platform}"


def load() -> float:
    """Processes that wanted to run in the last minute: above the number of cores, others took part."""
    return os.getloadavg()[0]


def cores() -> int:
    """How many processors this process may run on."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
