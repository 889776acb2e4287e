"""The error tree. An error says what to do, and carries fields, not only text.

TillstreamError
├── Refused        bad input: never retry; goes to `pos.rejected` with its path and reason
├── Unavailable    a neighbour is away: wait and try again
├── Again          the process must begin anew: end it, and let whatever supervises it start it again
└── Stop           no retry can mend it: end the process with the sentence that mends it
"""

from __future__ import annotations


class TillstreamError(Exception):
    """Base of every error that tillstream raises on purpose."""


class Refused(TillstreamError):
    """An input that cannot be counted.

    `path` is the JSON path of the field at fault (`$` for the whole, `$.lines[2].amount`), `reason` is one
    sentence that never repeats the offending value (it may be a secret), `hint` says what to send instead.
    """

    def __init__(self, path: str, reason: str, hint: str = "") -> None:
        super().__init__(f"{path}: {reason}")
        self.path = path
        self.reason = reason
        self.hint = hint


class Unavailable(TillstreamError):
    """A neighbour (Kafka, ClickHouse, a webhook's receiver) does not answer. Retry after `retry_after` seconds."""

    def __init__(self, neighbour: str, reason: str, retry_after: float = 1.0) -> None:
        super().__init__(f"{neighbour} does not answer: {reason}")
        self.neighbour = neighbour
        self.reason = reason
        self.retry_after = retry_after


class Again(TillstreamError):
    """Ends the process, which goes on where it was when it is started again. `sentence` says what has happened."""

    def __init__(self, sentence: str) -> None:
        super().__init__(sentence)
        self.sentence = sentence


class Stop(TillstreamError):
    """Ends the process. `sentence` says what is wrong, `hint` the command or setting that mends it."""

    def __init__(self, sentence: str, hint: str = "") -> None:
        super().__init__(f"{sentence} {hint}".strip())
        self.sentence = sentence
        self.hint = hint
