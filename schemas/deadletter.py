"""Messages of `pos.rejected`: the original key and bytes, and headers that say what was wrong and where."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from schemas import stub
from schemas.card_search import holds_secret
from schemas.receipt import MAX_BYTES

KEPT_BYTES = 64 * 1024


class DeadLetter(NamedTuple):
    """A refused record. `value` is None where the original holds a card number.

    `topic`, `partition` and `offset` are those of the original record; `path` is the JSON path at fault; `epoch` is
    the one that refused it, 0 where none did.
    """

    key: bytes | None
    value: bytes | None
    reason: str
    path: str
    topic: str
    partition: int
    offset: int
    epoch: int = 0

    def headers(self) -> list[tuple[str, bytes]]:
        """Kafka headers, as the contract names them."""
        return [
            ("reason", self.reason.encode()),
            ("path", self.path.encode()),
            ("topic", self.topic.encode()),
            ("partition", str(self.partition).encode()),
            ("offset", str(self.offset).encode()),
            ("epoch", str(self.epoch).encode()),
        ]


def kept(value: bytes | None) -> bytes | None:
    """What of the original is kept: all of it up to 1 MiB, the first 64 KiB of what is larger.

    Nothing where it holds a payment card number, whatever it was refused for.
    """
    if value is None or stub.read(value) is not None or holds_secret(value):
        return None
    return value if len(value) <= MAX_BYTES else value[:KEPT_BYTES]


def read(key: bytes | None, value: bytes | None, headers: Iterable[tuple[str, bytes]]) -> DeadLetter:
    """Read a record of `pos.rejected` back; raises KeyError where a header is missing."""
    found = {name: text.decode("utf-8", "replace") for name, text in headers}
    return DeadLetter(
        key,
        value,
        found["reason"],
        found["path"],
        found["topic"],
        int(found["partition"]),
        int(found["offset"]),
        int(found.get("epoch", "0")),
    )
