"""What stands in the embedded broker's journal for a refused receipt that holds a payment card number.

The number is nowhere in it, and whoever reads it refuses it with the same words.
"""

from __future__ import annotations

import msgspec

from schemas.errors import Refused

_BEGIN = b'{"tillstream_refused":'


class _Verdict(msgspec.Struct, frozen=True):
    path: str
    reason: str
    hint: str = ""


class _Stub(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    tillstream_refused: _Verdict


_decoder = msgspec.json.Decoder(_Stub)


def write(refused: Refused) -> bytes:
    """The stub of a message that was refused so."""
    return msgspec.json.encode(_Stub(_Verdict(refused.path, refused.reason, refused.hint)))


def read(value: bytes) -> Refused | None:
    """Why the message was refused whose stub this is; None where it is no stub."""
    if not value.startswith(_BEGIN):
        return None
    try:
        verdict = _decoder.decode(value).tillstream_refused
    except msgspec.MsgspecError:
        return None
    return Refused(verdict.path, verdict.reason, verdict.hint)
