"""What is delivered at once: the records of one partition, and whether anything lies between them and the last ones."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from faust.types import TP

AFTER_SEEK = -1
UNKNOWN = -2


@dataclass(slots=True)
class Chunk:
    """Records of one partition, in offset order.

    `follows` is the offset of the last record delivered before this chunk, AFTER_SEEK where the chunk is the
    first after a seek (what lies between the sought offset and the chunk is not in the log), or UNKNOWN.
    `seeks` counts the partition's seeks before it: a chunk with a smaller count than a seek's is stale.
    """

    tp: TP
    records: list[Any]
    follows: int
    seeks: int

    @property
    def first(self) -> int:
        """Offset of the first record."""
        return int(self.records[0].offset)

    @property
    def last(self) -> int:
        """Offset of the last record."""
        return int(self.records[-1].offset)
