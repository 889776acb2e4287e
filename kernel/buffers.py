"""Memory for the kernel to write to: kept by each thread, since asking for fresh pages costs more than the work."""

from __future__ import annotations

import threading
from array import array


class Buffers(threading.local):
    """Named arrays of 64-bit numbers, each as long as the longest that was asked for, up to a limit."""

    # 64 MiB: what is larger is made for one use, so that no outlier stays for ever.
    LARGEST = 8 * 1024 * 1024

    def __init__(self) -> None:
        self._kept: dict[str, array[int]] = {}

    def numbers(self, name: str, many: int) -> array[int]:
        """At least so many numbers, with whatever was left in them."""
        kept = self._kept.get(name)
        if kept is not None and len(kept) >= many:
            return kept
        made = array("q", bytes(8 * max(many + many // 4, 64)))
        if len(made) <= self.LARGEST:
            self._kept[name] = made
        return made

    def octets(self, name: str, many: int) -> memoryview:
        """At least so many bytes of such an array."""
        return memoryview(self.numbers(name, many // 8 + 1)).cast("B")


buffers = Buffers()


def address(numbers: array[int]) -> int:
    """Where an array's numbers begin."""
    return numbers.buffer_info()[0]
