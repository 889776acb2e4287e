"""Loads the compiled kernel and says what its functions take."""

from __future__ import annotations

import ctypes
from functools import cache
from pathlib import Path

from kernel.build import LIBRARY

PATH = Path(__file__).with_name(LIBRARY)
_POINTER, _NUMBER, _SEED, _FLOAT = ctypes.c_void_p, ctypes.c_int64, ctypes.c_uint64, ctypes.c_double


class SUMS(ctypes.Structure):
    """What `sum_windows` takes, as rows.c has it."""

    _fields_ = [  # as ctypes wants it
        ("windows", _NUMBER),
        *((name, _POINTER) for name in ("values", "keys", "value_ends", "key_ends", "starts", "stores", "items")),
        *((name, _POINTER) for name in ("item_ends", "ids", "heads", "id_ends", "head_ends")),
        ("many", _NUMBER),
        *((name, _POINTER) for name in ("columns", "records_read", "lines", "text", "more")),
        ("text_length", _NUMBER),
        ("seed", _SEED),
        ("most_rows", _NUMBER),
        ("most_bytes", _NUMBER),
        *((name, _POINTER) for name in ("scratch", "records", "messages", "record_batches", "message_batches")),
        ("many_record_batches", _NUMBER),
        ("many_message_batches", _NUMBER),
        ("values_found", _POINTER),
    ]


class TRACKED(ctypes.Structure):
    """What a store tracks, as tracked.c has it."""

    _fields_ = [("text", _POINTER), ("ends", _POINTER), ("index", _POINTER), ("mask", _NUMBER)]  # as ctypes wants it


class DEMAND(ctypes.Structure):
    """What was seen of an item's demand, as items.h has it; streams.restock.demand says what it means."""

    _fields_ = [  # as ctypes wants it
        *((name, _FLOAT) for name in ("hours", "purchases", "units", "squares", "revenue", "until", "last")),
        *((name, _FLOAT) for name in ("known_purchases", "known_hours", "uneven")),
        ("censored", _NUMBER),
    ]


class ITEM(ctypes.Structure):
    """One SKU in one store that is tracked, in numbers, as items.h has it; kernel.items says what they mean."""

    _fields_ = [  # as ctypes wants it
        ("demand", DEMAND),
        *((name, _NUMBER) for name in ("counted", "on_hand", "counted_at", "on_order", "applied", "currency")),
        *((name, _NUMBER) for name in ("hour", "in_hour", "hour_before", "watched", "ask", "low")),
        *((name, _FLOAT) for name in ("worse_at", "prior_rate", "prior_units")),
        *((name, _FLOAT) for name in ("lead_time", "lead_time_sd", "z", "pack", "reorder_point")),
    ]


class STORE(ctypes.Structure):
    """What a store looks like now, as items.h has it."""

    _fields_ = [  # as ctypes wants it
        ("now", _NUMBER),
        ("done", _FLOAT),
        ("many_hours", _NUMBER),
        *((name, _POINTER) for name in ("hours", "clocks")),
        ("week_known", _NUMBER),
        *((name, _POINTER) for name in ("week", "sums")),
        *((name, _FLOAT) for name in ("hour_hours", "day_hours")),
    ]


# By the order of their parameters in their files.
_FUNCTIONS = {
    "read_records": [_NUMBER, _POINTER, *[_NUMBER] * 5, _POINTER],
    "move_records": [_NUMBER, _POINTER, _NUMBER],
    "read_receipts": [_NUMBER, *[_POINTER] * 2, _NUMBER, *[_POINTER] * 3],
    "scratch_bytes": [_POINTER],
    "sum_windows": [_POINTER],
    "frame_tombstones": [_NUMBER, *[_POINTER] * 2, _NUMBER, *[_POINTER] * 2],
    "number_stores": [_NUMBER, *[_POINTER] * 4, _SEED, _NUMBER, *[_POINTER] * 5],
    "find_seen": [_NUMBER, *[_POINTER] * 4, _SEED, _POINTER],
    "note_seen": [_NUMBER, *[_POINTER] * 5, _SEED, _POINTER],
    "count_seen": [_NUMBER, _POINTER, _NUMBER],
    "index_skus": [_NUMBER, *[_POINTER] * 2, _SEED, _NUMBER, _POINTER],
    "find_tracked": [_NUMBER, *[_POINTER] * 6, _NUMBER, _POINTER, _SEED, _POINTER],
    "tell_purchases": [_NUMBER, _POINTER, _NUMBER, *[_POINTER] * 4, _NUMBER, *[_POINTER] * 2, _NUMBER, *[_POINTER] * 6],
    "sell_purchases": [_POINTER, _NUMBER, *[_POINTER] * 2, *[_NUMBER] * 3, *[_POINTER] * 2, _NUMBER],
    "take_purchases": [_POINTER, _NUMBER, _POINTER, _SEED, *[_POINTER] * 8],
    "not_calm": [_NUMBER, *[_POINTER] * 5],
    "total_after": [_POINTER, *[_NUMBER] * 3],
    "take_back": [_POINTER, *[_NUMBER] * 5, _POINTER],
    "forget_moves": [_POINTER, *[_NUMBER] * 2],
    "bought_after": [_POINTER, *[_NUMBER] * 3, _POINTER],
    "copy_seen": [_NUMBER, _POINTER, _NUMBER, _POINTER, _NUMBER, _SEED],
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
