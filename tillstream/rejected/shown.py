"""A dead letter for people and for programs."""

from __future__ import annotations

import contextlib
from typing import Any

import msgspec

from tillstream import console
from tillstream.rejected.letters import Letter


def show(letter: Letter) -> None:
    """Print one letter."""
    for name, value in (
        ("place", f"{letter.topic} {letter.place}"),
        ("path", letter.path),
        ("reason", letter.reason),
        ("key", letter.key.decode("utf-8", "replace")),
        ("refused at", moment(letter.rejected_at)),
    ):
        console.out.print(f"{name:10} {console.printable(value)}", soft_wrap=True, markup=False)
    if letter.value is None:
        console.out.print("nothing of the message was kept: it holds a payment card number, or a sink set it aside")
        return
    if letter.cut:
        console.out.print("the first 64 KiB of the message:")
    console.out.print(console.printable(_pretty(letter.value)), soft_wrap=True, markup=False)


def _pretty(value: bytes) -> str:
    """JSON with its numbers as they stand in the message; what is none as it is."""
    with contextlib.suppress(ValueError, RecursionError):
        value = msgspec.json.format(value, indent=2)
    return value.decode("utf-8", "replace")


def plain(letter: Letter) -> dict[str, Any]:
    """One letter as JSON has it."""
    return {
        "topic": letter.topic,
        "partition": letter.partition,
        "offset": letter.offset,
        "place": letter.place,
        "path": letter.path,
        "reason": letter.reason,
        "key": letter.key.decode("utf-8", "replace"),
        "value": None if letter.value is None else letter.value.decode("utf-8", "replace"),
        "rejected_at": letter.rejected_at,
    }


def moment(found: object) -> str:
    """A time as people read it."""
    return str(found).replace("+00:00", "Z")
