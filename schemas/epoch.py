"""Messages of `tillstream.epochs`: which readings of the log exist, with which window and grace."""

from __future__ import annotations

from typing import Literal

import msgspec


class Epoch(msgspec.Struct, frozen=True):
    """One log read with one window, one grace and one bound on skew, all in whole seconds. The key is the number.

    A live epoch takes the place of those in `replaces`, in the moment in which it becomes live; `removed` ones have
    no rows any more. `max_skew` None: of a version that did not note it.
    """

    epoch: int
    state: Literal["live", "building", "retired", "removed"]
    window: int
    grace: int
    max_skew: int | None = None
    replaces: tuple[int, ...] = ()


_decoder = msgspec.json.Decoder(Epoch)


def encode(epoch: Epoch) -> bytes:
    """JSON, as it stands in `tillstream.epochs`."""
    return msgspec.json.encode(epoch)


def decode(value: bytes) -> Epoch:
    """Read a message of `tillstream.epochs`; raises msgspec.MsgspecError on what is none."""
    return _decoder.decode(value)
