"""Durations and sizes as people write them in settings."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Annotated, Any

from pydantic import BeforeValidator

_UNITS = {"ms": 0.001, "s": 1, "m": 60, "h": 3600, "d": 86400}
_SIZES = {
    "": 1,
    "B": 1,
    "KiB": 1024,
    "MiB": 1024**2,
    "GiB": 1024**3,
    "KB": 1000,
    "MB": 1000**2,
    "GB": 1000**3,
}


def parse_duration(value: Any) -> Any:
    """`5m`, `96h`, `400d`, `0`, `-1` (for ever), as a timedelta; plain numbers are seconds."""
    if isinstance(value, timedelta):
        return value
    found = re.fullmatch(r"(-?\d+(?:\.\d+)?)\s*(ms|s|m|h|d)?", str(value).strip())
    if not found:
        raise ValueError(f"{value!r} is no duration: write a number and ms, s, m, h or d, for example 5m")
    return timedelta(seconds=float(found[1]) * _UNITS[found[2] or "s"])


def parse_size(value: Any) -> Any:
    """`2GiB`, `512MiB`, `1000`, as bytes."""
    found = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([KMG]i?B|B|)", str(value).strip())
    if not found:
        raise ValueError(f"{value!r} is no size: write a number and B, KiB, MiB or GiB, for example 2GiB")
    return int(float(found[1]) * _SIZES[found[2]])


Duration = Annotated[timedelta, BeforeValidator(parse_duration)]
Size = Annotated[int, BeforeValidator(parse_size)]
