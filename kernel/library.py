"""Loads the compiled kernel and says what its functions take."""

from __future__ import annotations

import ctypes
from functools import cache
from pathlib import Path

from kernel.build import LIBRARY

PATH = Path(__file__).with_name(LIBRARY)
_POINTER, _NUMBER = ctypes.c_void_p, ctypes.c_int64
# By the order of their parameters in receipts.c and rows.c.
_FUNCTIONS = {
    "read_receipts": [_NUMBER, *[_POINTER] * 5, _NUMBER, *[_POINTER] * 3],
    "scratch_bytes": [_NUMBER, *[_POINTER] * 3],
    "sum_rows": [
        _NUMBER,
        *[_POINTER] * 6,
        _NUMBER,
        _POINTER,
        ctypes.c_uint64,
        _NUMBER,
        *[_POINTER] * 6,
    ],
}


@cache
def kernel() -> ctypes.CDLL:
    """The library; raises OSError, with what to do, where it was not compiled."""
    if not PATH.exists():
        raise OSError(f"tillstream's kernel was not compiled: {PATH.name} is missing. Run `python kernel/build.py`.")
    found = ctypes.CDLL(str(PATH))
    for name, parameters in _FUNCTIONS.items():
        function = getattr(found, name)
        function.argtypes, function.restype = parameters, ctypes.c_int64
    return found
