"""Messages of `tillstream.epochs`: which readings of the log exist, with which window and grace."""

from __future__ import annotations

from typing import Literal

import msgspec


class Epoch(msgspec.Struct, frozen=True):
    """One log read with one window and one grace, both in whole seconds. The key is the epoch's number."""

    epoch: int
    state: Literal["live", "building", "retired"]
    window: int
    grace: int


_decoder = msgspec.json.Decoder(Epoch)


def encode(epoch: Epoch) -> bytes:
    """JSON, as it stands in `tillstream.epochs`."""
    return msgspec.json.encode(epoch)


def decode(value: bytes) -> Epoch:
    """Read a message of `tillstream.epochs`; raises msgspec.MsgspecError on what is none."""
    return _decoder.decode(value)
