"""From Python integers to Arrow columns, exactly: no float, and no Decimal object per value."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date
from functools import lru_cache

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from schemas.window import MONEY_SCALE, QUANTITY_SCALE

_PRECISION = 18
_UNIX = date(1970, 1, 1).toordinal()


def _decimal(values: Sequence[int] | np.ndarray, scale: int) -> pa.Array:
    """Scaled integers as decimal128: 16 bytes little-endian, the upper half being the sign."""
    low = np.asarray(values, dtype=np.int64)
    wide = np.empty((len(low), 2), dtype=np.int64)
    wide[:, 0] = low
    wide[:, 1] = low >> 63
    return pa.Array.from_buffers(pa.decimal128(_PRECISION, scale), len(low), [None, pa.py_buffer(wide)])


def quantity(values: Sequence[int] | np.ndarray) -> pa.Array:
    """Hundred-thousandths as Decimal(18, 5)."""
    return _decimal(values, QUANTITY_SCALE)


def money(values: Sequence[int] | np.ndarray) -> pa.Array:
    """Ten-thousandths as Decimal(18, 4)."""
    return _decimal(values, MONEY_SCALE)


def maybe_quantity(values: Sequence[int | None]) -> pa.Array:
    """Hundred-thousandths as Nullable(Decimal(18, 5))."""
    return _maybe(quantity, values)


def maybe_money(values: Sequence[int | None]) -> pa.Array:
    """Ten-thousandths as Nullable(Decimal(18, 4))."""
    return _maybe(money, values)


def maybe_micros(values: Sequence[int | None]) -> pa.Array:
    """Microseconds since the Unix epoch as Nullable(DateTime64(6, 'UTC'))."""
    return pa.array(values, pa.int64()).cast(pa.timestamp("us", tz="UTC"))


def _maybe(column: Callable[[Sequence[int]], pa.Array], values: Sequence[int | None]) -> pa.Array:
    known = pa.array([value is not None for value in values], pa.bool_())
    found = column([0 if value is None else value for value in values])
    return pc.if_else(known, found, pa.scalar(None, found.type))


def seconds(micros: Sequence[int]) -> pa.Array:
    """Microseconds since the Unix epoch as DateTime('UTC'); window starts are whole seconds."""
    return pa.array(np.asarray(micros, dtype=np.int64) // 1_000_000).cast(pa.timestamp("s", tz="UTC"))


def micros(values: Sequence[int]) -> pa.Array:
    """Microseconds since the Unix epoch as DateTime64(6, 'UTC')."""
    return pa.array(np.asarray(values, dtype=np.int64)).cast(pa.timestamp("us", tz="UTC"))


def millis(values: Sequence[int]) -> pa.Array:
    """Milliseconds since the Unix epoch as DateTime64(3, 'UTC')."""
    return pa.array(np.asarray(values, dtype=np.int64)).cast(pa.timestamp("ms", tz="UTC"))


@lru_cache(maxsize=4096)
def _day(text: str) -> int:
    return date.fromisoformat(text).toordinal() - _UNIX


def dates(texts: Sequence[str]) -> pa.Array:
    """ISO dates as Date."""
    return pa.array(np.fromiter((_day(text) for text in texts), dtype=np.int32, count=len(texts))).cast(pa.date32())


def unsigned(values: Sequence[int], bits: int) -> pa.Array:
    """Integers as UInt16, UInt32 or UInt64."""
    return pa.array(values, type={16: pa.uint16(), 32: pa.uint32(), 64: pa.uint64()}[bits])
