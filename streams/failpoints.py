"""Where the fault suite has a worker die, so that a crash can be repeated. For tests only, never for a deployment.

`TILLSTREAM_FAILPOINT=send.3.state:7` ends the process by SIGKILL as soon as it has performed that operation of
the flush for the seventh time, whatever the partition; what it sent last may or may not have left it.
"""

from __future__ import annotations

import logging
import os
import re
import signal
from collections.abc import Callable, Mapping

from schemas.errors import Stop
from streams.flush import Acknowledged, Commit, Operation, Send

log = logging.getLogger(__name__)

VARIABLE = "TILLSTREAM_FAILPOINT"
SIGNAL = signal.SIGKILL
# Every operation that a flush can consist of, in its order.
POINTS = (
    "send.1.feed",
    "send.1.state",
    "send.1.windows",
    "send.1.late",
    "send.1.rejected",
    "acknowledged.2",
    "send.3.state",
    "acknowledged.3",
    "commit.4",
    "send.5.state",
    "acknowledged.5",
)


def point(operation: Operation) -> str:
    """The operation's name among POINTS."""
    match operation:
        case Send(step, role, _):
            return f"send.{step}.{role}"
        case Acknowledged(step):
            return f"acknowledged.{step}"
        case Commit(step, _):
            return f"commit.{step}"


def parse(text: str) -> tuple[str, int]:
    """(point, how many times it is performed before the end) of `send.3.state:7`; raises Stop."""
    found = re.fullmatch(r"([a-z0-9.]+):([1-9][0-9]{0,8})", text)
    if found is None or found[1] not in POINTS:
        raise Stop(
            f"{VARIABLE}={text} names no failpoint.",
            f"It is for the fault suite only: unset it, or write one of {', '.join(POINTS)}, a colon and a number.",
        )
    return found[1], int(found[2])


def armed(environment: Mapping[str, str]) -> Callable[[Operation], None] | None:
    """What is to be told of each operation performed, or None where no failpoint is set; raises Stop."""
    if VARIABLE not in environment:
        return None
    wanted, left = parse(environment[VARIABLE])
    log.warning("%s is set: this worker kills itself", VARIABLE)

    def performed(operation: Operation) -> None:
        nonlocal left
        if point(operation) == wanted:
            left -= 1
            if left == 0:
                os.kill(os.getpid(), SIGNAL)

    return performed
