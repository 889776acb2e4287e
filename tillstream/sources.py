"""Where a replay's receipts come from: the demo's data, or a file whose receipts are checked first."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import msgspec

from schemas.decode import decode
from schemas.errors import Refused
from tillstream.files import read_receipts
from tillstream.outgoing import Outgoing

# Of so many refusals the place and reason are kept; beyond, they are only counted.
_KEPT = 1000


class Refusal(NamedTuple):
    """A receipt of a file that was not published."""

    line: int
    path: str
    reason: str
    hint: str


def checked(value: bytes) -> Outgoing:
    """A receipt that will be counted, ready to publish; raises Refused."""
    receipt = decode(value)
    return Outgoing(receipt.store_id, receipt.occurred_at, value, len(receipt.lines.sku))


@dataclass(slots=True)
class FileSource:
    """The receipts of one file, in the file's order. What was refused stands in `refused` and `refusals`.

    `unchecked` publishes what the file holds as it is (rows that make no receipt are refused all the same); `check`
    judges the others. `read` takes the file apart, with a line for each message.
    """

    path: str | Path
    unchecked: bool = False
    limit: int | None = None
    refused: int = 0
    refusals: list[Refusal] = field(default_factory=list)
    check: Callable[[bytes], Outgoing] = checked
    read: Callable[[str | Path], Iterator[tuple[int, bytes | Refused]]] = read_receipts

    def __iter__(self) -> Iterator[Outgoing]:
        """Yield at most `limit` receipts; raises Stop as tillstream.files does."""
        if self.limit == 0:
            return
        count = 0
        for line, found in self.read(self.path):
            try:
                if isinstance(found, Refused):
                    raise found
                outgoing = as_it_is(found) if self.unchecked else self.check(found)
            except Refused as fault:
                self.refused += 1
                if len(self.refusals) < _KEPT:
                    self.refusals.append(Refusal(line, fault.path, fault.reason, fault.hint))
                continue
            yield outgoing
            count += 1
            if count == self.limit:
                return


class _Store(msgspec.Struct):
    store_id: str


_store = msgspec.json.Decoder(_Store)


def as_it_is(value: bytes) -> Outgoing:
    """Anything, ready to publish, under its store_id where one can be read, else under an empty key."""
    try:
        return checked(value)
    except Refused:
        pass
    try:
        return Outgoing(_store.decode(value).store_id, 0, value)
    except (msgspec.MsgspecError, UnicodeError):
        return Outgoing("", 0, value)
