"""F13: whatever stands in `pos.receipts`, reading it gives a receipt or a refusal, and folding it goes on."""

import time
from collections import Counter
from typing import NamedTuple

import pytest

from schemas import strict
from schemas.admission import admit
from schemas.decode import decode
from schemas.errors import Refused
from streams.flush import flush
from streams.fold import fold
from streams.state import PartitionState
from streams.windows import Windows
from tests.faults.fuzz import Mangler
from tests.unit.kernel.agreement import differences

pytestmark = pytest.mark.timeout(3600)
SEED = 13
HOUR = 3_600_000_000
NOW_MS = 1_790_000_000_000
# Every mangled store_id is another store, and a flush writes down all of them.
A_STATE = 20_000


class Record(NamedTuple):
    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None


def judged(read, *message):
    """What a way makes of a message: a value or Refused; whatever else it raises is a fault of ours."""
    try:
        return read(*message)
    except Refused as refused:
        return Refused if refused.path.startswith("$") and refused.reason else refused
    except Exception as fault:  # noqa: BLE001  # any at all
        return fault


def wrong(key, value):
    """Why the message is read wrongly, or an empty text; and whether it can be counted."""
    admitted = judged(admit, key, value, NOW_MS, HOUR)
    if isinstance(admitted, Exception):
        return f"admit raised {admitted!r}", False
    if value is not None:
        quick, whole = judged(decode, value), judged(strict.decode, value)
        if isinstance(quick, Exception) or isinstance(whole, Exception) or quick != whole:
            return f"decode gives {quick!r}, the explaining way {whole!r}", False
    return "", admitted is not Refused


def test_f13_mangled_messages_are_a_value_or_a_refusal_and_nothing_else(full, table):
    many = 1_000_000 if full else 20_000
    mangler = Mangler(SEED)
    faults, found = [], Counter()
    states = []
    begun = time.monotonic()
    for first in range(0, many, 1_000):
        if first % A_STATE == 0:
            states.append(PartitionState(1, 0, "me", Windows(5 * HOUR // 60, HOUR)))
        state = states[-1]
        chunk = [Record(first + at, NOW_MS, *mangler.message()) for at in range(1_000)]
        for record in chunk:
            fault, counts = wrong(record.key, record.value)
            found["admitted" if counts else "refused"] += 1
            if fault:
                faults.append((fault, record))
        misread, by_kernel = differences([(record.key, record.value) for record in chunk], NOW_MS, HOUR)
        found["by the kernel"] += by_kernel
        faults += [(f"the kernel gives {ours!r}, Python {theirs!r}", message) for message, ours, theirs in misread]
        if not faults:
            done = fold(state, chunk, "pos.receipts", HOUR)
            list(flush(state, done, state.applied))
    table("F13", many, many, len(faults), f"{many / (time.monotonic() - begun):,.0f}/s")
    assert faults == []
    assert sum(sum(state.counts.values()) for state in states) == many
    assert sum(state.counts["rejected"] for state in states) >= found["refused"]
    assert min(found.values()) > many / 40, f"each must come often enough: {found}"
