"""Messages as the kernel writes them: records of Kafka's format 2, in batches, which nobody takes apart on the way out.

https://kafka.apache.org/documentation/#record
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import overload

from kernel.records import read_batch
from kernel.sums import Batch

Message = tuple[bytes | None, bytes | None, list[tuple[str, bytes]]]

BATCH_BYTES = 2 * 1024 * 1024
_BITS, _MORE = 0x7F, 0x80  # of each byte of a number


class Framed(Sequence[Message]):
    """A sequence of messages, which are decoded only where somebody looks at one."""

    def __init__(self, batches: Sequence[Batch]) -> None:
        self.batches = batches

    def __len__(self) -> int:
        """How many messages there are."""
        return sum(many for many, _ in self.batches)

    @overload
    def __getitem__(self, at: int) -> Message: ...

    @overload
    def __getitem__(self, at: slice) -> Sequence[Message]: ...

    def __getitem__(self, at: int | slice) -> Message | Sequence[Message]:
        """Decode them."""
        return list(self)[at]

    def __iter__(self) -> Iterator[Message]:
        """Decode one after the other."""
        for many, text in self.batches:
            for record in read_batch(text, many, 0, 0, 0, None):
                yield record.key, record.value, []

    def and_then(self, key: bytes | None, value: bytes) -> Framed:
        """These and one more, in the last batch: a batch more would be a request more."""
        *others, (many, records) = self.batches or [(0, b"")]
        return Framed([*others, (many + 1, records + _record(many, key, value))])


def _record(number: int, key: bytes | None, value: bytes) -> bytes:
    """One record, as frames.h writes it."""
    texts = [_varint(-1) if text is None else _varint(len(text)) + text for text in (key, value)]
    body = b"\0\0" + _varint(number) + b"".join(texts) + b"\0"
    return _varint(len(body)) + body


def _varint(number: int) -> bytes:
    rest, found = number << 1 if number >= 0 else ~(number << 1), bytearray()
    while rest > _BITS:
        found.append(rest & _BITS | _MORE)
        rest >>= 7
    return bytes([*found, rest])
