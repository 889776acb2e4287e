"""Puts messages into a batch of aiokafka's."""

from __future__ import annotations

import time
from collections.abc import Sequence
from itertools import islice
from typing import Any


def fill(batch: Any, messages: Sequence[tuple[bytes | None, bytes | None, list[Any]]], at: int) -> int:
    """Put (key, value, headers) in from a place on, as many as fit; returns the place of the first that did not.

    Past BatchBuilder.append, which looks for serializers and a clock each time: with its C part alone a message takes
    half the time, and nearly every window is two of them.
    """
    append, begun = batch._builder.append, int(batch._relative_offset)  # noqa: SLF001  # as its own append does
    now = int(time.time() * 1000)
    offset = begun
    for key, value, headers in islice(messages, at, None):
        if append(offset, now, key, value, headers) is None:
            batch.close()
            break
        offset += 1
    batch._relative_offset = offset  # noqa: SLF001  # likewise
    return at + offset - begun
