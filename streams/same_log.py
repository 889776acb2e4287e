"""Whether the log is still the one that the state was folded from. Pure: evidence in, a Stop out.

A topic can be deleted and created anew under its name, a broker can lose its end, and retention can remove
receipts before they were counted. Folding on would skip new receipts as old ones, or leave a hole that no
figure shows, so the worker refuses instead.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

from schemas.errors import Stop

_GO_ON = (
    "`tillstream continue` goes on beside the figures that are there; `tillstream rebuild` computes all of them anew."
)

# `untouched`: nothing of it was counted; `hole`: receipts went before they were counted; `other`: another log.
Judgement = Literal["same", "untouched", "hole", "other"]


class LogView(NamedTuple):
    """What a partition holds: its first offset, the offset after its last record, and a fingerprint.

    `found` is that of the record at the `applied` that was asked about, None where the log has no record there.
    """

    first: int
    end: int
    found: int | None


def judge(applied: int, fingerprint: int, log: LogView) -> Judgement:
    """Say what a partition shows of the log that was counted up to `applied` (-1: nothing), with its fingerprint."""
    if applied < 0:
        return "untouched"
    if log.end <= applied or (log.first <= applied and log.found != fingerprint):
        return "other"
    return "hole" if log.first > applied + 1 else "same"


def check_log(topic: str, partition: int, applied: int, fingerprint: int, log: LogView) -> None:
    """Raise Stop unless what was folded up to `applied` (-1: nothing), with its fingerprint, is of this log."""
    match judge(applied, fingerprint, log):
        case "hole":
            check_start(topic, partition, applied, log.first)
        case "other" if log.end <= applied:
            raise Stop(
                f"{topic}, partition {partition}, ends before offset {log.end}, but its receipts up to {applied} were"
                " counted: the topic was recreated, or its broker lost records.",
                _GO_ON,
            )
        case "other":
            raise recreated(topic, partition, applied)


def check_start(topic: str, partition: int, applied: int, first: int) -> None:
    """Raise Stop where the log, which begins at `first`, has lost receipts that were not counted.

    With nothing folded there is nothing to continue: the log counts from where it begins.
    """
    if applied >= 0 and first > applied + 1:
        raise Stop(
            f"{topic}, partition {partition}, begins at offset {first}: retention removed the receipts from"
            f" {applied + 1} on before they were counted.",
            f"Keep receipts for longer (TILLSTREAM_RETENTION). {_GO_ON}",
        )


def recreated(topic: str, partition: int, applied: int) -> Stop:
    """Give the refusal of a log that holds other receipts than those that were counted."""
    return Stop(
        f"{topic}, partition {partition}, does not hold the receipt that was counted at offset {applied}: the topic"
        " was recreated.",
        _GO_ON,
    )
