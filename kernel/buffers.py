"""Memory for the kernel to write to: kept for the next call, since asking for fresh pages costs more than the work."""

from __future__ import annotations

from array import array
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager

# 64 MiB: what is larger is made for one use, so that no outlier stays for ever.
LARGEST = 8 * 1024 * 1024


class Buffers:
    """Arrays of 64-bit numbers by what they are for; as many of each as were ever in use at once, in all threads."""

    def __init__(self) -> None:
        self._kept: defaultdict[str, list[array[int]]] = defaultdict(list)

    @contextmanager
    def lent(self, name: str, many: int) -> Iterator[array[int]]:
        """At least so many numbers, with whatever was left in them."""
        kept = self._kept[name]
        try:
            found = kept.pop()
        except IndexError:
            found = array("q")
        if len(found) < many:
            found = array("q", bytes(8 * max(many + many // 4, 64)))
        yield found
        if len(found) <= LARGEST:
            kept.append(found)


buffers = Buffers()


def address(numbers: array[int] | array[float]) -> int:
    """Where an array's numbers begin."""
    return numbers.buffer_info()[0]
