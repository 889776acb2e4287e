"""What a partition knows: its stores, their open windows, and how far the log has been folded.

All of it is a function of the log up to `applied`, so that whoever folds the same log has the same state. It
lives in memory, is dropped when the partition is revoked, and comes back from the changelog (streams.restore).
"""

from __future__ import annotations

import hashlib
from bisect import insort
from collections import deque
from dataclasses import dataclass, field

import msgspec

from kernel.seen import Seen
from streams.windows import Windows

RESULTS = ("folded", "duplicate", "late", "rejected", "ignored")


def receipt_hash(transaction_id: str, *, reversal: bool) -> int:
    """Stable 64-bit hash of a receipt's id within its store (BLAKE2b, first 8 bytes, little-endian).

    A post_void may bear its original's id, so whether it is a reversal is part of what is hashed.
    """
    text = b"r" + transaction_id.encode() if reversal else b"s" + transaction_id.encode()
    return int.from_bytes(hashlib.blake2b(text, digest_size=8).digest(), "little")


class WindowRecord(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A StoreWindow as it stands in the changelog.

    `applied` is the largest offset folded into it, `ids` maps a receipt's hash to the offset it was folded at, `rows`
    are the running totals (MessagePack of schemas.window.Rows); a row's version is the offset of its last change.
    """

    applied: int
    receipts: int
    ids: dict[int, int]
    rows: msgspec.Raw


_decoder = msgspec.msgpack.Decoder(WindowRecord)


class StoreWindow:
    """Everything one store sold in one window.

    `value` is all that is known of it, as the changelog has it: MessagePack of a WindowRecord, empty where nothing was
    added yet. `owners` are those whose record of this window may stand in the changelog, `key` is that of this owner's,
    once it was written. `at` is the last offset of the chunk that closed it.
    """

    __slots__ = ("at", "key", "owners", "start", "store_id", "value")

    def __init__(self, store_id: str, start: int) -> None:
        self.store_id = store_id
        self.start = start
        self.value = b""
        self.owners: frozenset[str] = frozenset()
        self.key: bytes | None = None
        self.at = -1


def decode_window(value: bytes) -> WindowRecord:
    """Read a StoreWindow's value."""
    record: WindowRecord = _decoder.decode(value)
    return record


class Store:
    """One store's watermark and open windows.

    `seen` knows each receipt that stands in an open window, folded at or before the partition's `applied`. `starts` are
    the starts of the open windows, the oldest first.
    """

    __slots__ = ("seen", "starts", "watermark", "windows")

    def __init__(self, watermark: int | None = None) -> None:
        self.watermark = watermark
        self.windows: dict[int, StoreWindow] = {}
        self.starts: deque[int] = deque()
        self.seen = Seen()

    def add(self, window: StoreWindow) -> None:
        """Take up an open window."""
        self.windows[window.start] = window
        if self.starts and window.start < self.starts[-1]:  # rare: windows come about in their order
            insort(self.starts, window.start)
        else:
            self.starts.append(window.start)

    def advance(self, occurred_at: int, windows: Windows) -> list[StoreWindow]:
        """Move the watermark up to the time of a folded receipt after it; returns the windows that this closes."""
        self.watermark = occurred_at
        oldest, closed = windows.oldest(occurred_at), []
        while self.starts and self.starts[0] < oldest:
            closed.append(self.windows.pop(self.starts.popleft()))
        return closed


@dataclass(slots=True)
class PartitionState:
    """The state of one partition under one owner.

    `owner` is drawn at random at each assignment and is part of every changelog key, so that a zombie never
    overwrites its successor's record; `own` is it alone. `ahead` holds offsets beyond `applied` that restored windows
    already contain: a crash came between their record and the PartitionRecord, and they will be folded again. `told`
    says whether restock was told of all that is folded.
    `closed` are the windows whose changelog keys wait for their tombstones, in the order in which they closed, without
    their values.
    """

    epoch: int
    partition: int
    owner: str
    windows: Windows
    applied: int = -1
    fingerprint: int = 0
    stores: dict[str, Store] = field(default_factory=dict)
    counts: dict[str, int] = field(default_factory=lambda: dict.fromkeys(RESULTS, 0))
    ahead: set[int] = field(default_factory=set)
    closed: list[StoreWindow] = field(default_factory=list)
    told: bool = False
    own: frozenset[str] = field(init=False)

    def __post_init__(self) -> None:
        """Make the one set of owners that nearly all windows share."""
        self.own = frozenset({self.owner})

    def close(self, window: StoreWindow, at: int) -> None:
        """Keep of a window that has closed what its tombstones need; `at` is the last offset of the chunk."""
        window.at = at
        self.closed.append(window)

    def open_windows(self) -> int:
        """How many windows of all its stores are open."""
        return sum(len(store.windows) for store in self.stores.values())
