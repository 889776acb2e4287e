"""The life of an alert: one episode from the crossing to the recovery, whatever is repeated in between.

    raised ──acknowledge──> acknowledged ─┐
      │  └───snooze until──> snoozed ──────┤  the moment passes: raised again
      │                                    │
      ├──an order covers it──> ordered ────┤  it is not enough, or cancelled: raised again
      └──────────recovery──────────────────┴──> resolved

Pure: what is known of an episode, and what has been judged, to the next; a change is one step of its sequence.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from typing import NamedTuple

from schemas.alert import Rule, Severity, State
from streams.restock.rules import Figures, Verdict

_RANK: dict[Severity, int] = {"info": 0, "warning": 1, "critical": 2}


@dataclass(frozen=True, slots=True)
class Episode:
    """An alert as it stands. `raised_at` and `snoozed_until` are event times in microseconds.

    `sequence` counts its states from 1; `figures` are those that made it fire, or fire again.
    """

    alert_id: str
    rule: Rule
    state: State
    severity: Severity
    raised_at: int
    sequence: int
    figures: Figures
    snoozed_until: int | None = None
    reason: str = ""


class Place(NamedTuple):
    """Where a message stands in the feed, and the event time (microseconds) by which it is judged."""

    partition: int
    offset: int
    at: int


@dataclass(frozen=True, slots=True)
class Now:
    """What holds now, by a message of the feed.

    `covered`: what is on order will mend it. `suppressed`: why it is no alert of its own, empty if it is one.
    """

    place: Place
    verdict: Verdict
    figures: Figures
    severity: Severity
    covered: bool = False
    suppressed: str = ""


def alert_id(rule: str, store_id: str, sku: str, place: Place) -> str:
    """Of the episode that a message of the feed opened (BLAKE2b of all of it, 16 bytes, hexadecimal)."""
    text = "\0".join((rule, store_id, sku, str(place.partition), str(place.offset))).encode()
    return hashlib.blake2b(text, digest_size=16).hexdigest()


def judged(episode: Episode | None, rule: Rule, store_id: str, sku: str, now: Now) -> Episode | None:
    """The episode after a rule was judged; the same object where nothing has changed.

    A resolved one is returned once, and is no episode any more from then on.
    """
    if episode is None:
        if now.verdict != "fire" or now.suppressed:
            return None
        name = alert_id(rule, store_id, sku, now.place)
        return Episode(name, rule, "raised", now.severity, now.place.at, 1, now.figures)
    becomes = _becomes(episode, now)
    return episode if becomes is None else _step(episode, becomes[0], now, becomes[1])


def _becomes(episode: Episode, now: Now) -> tuple[State, str] | None:
    """The state that an open episode goes over to, and why; None where it stays."""
    if now.suppressed:
        return "resolved", now.suppressed
    if now.covered:
        return None if episode.state == "ordered" else ("ordered", "")
    if now.verdict == "clear" or (now.verdict == "hold" and episode.state == "ordered"):
        return "resolved", "recovered"
    if episode.state == "ordered":
        return "raised", "what is on order is not enough"
    if episode.state == "snoozed":
        over = episode.snoozed_until is not None and now.place.at >= episode.snoozed_until
        return ("raised", "the snooze is over") if over else None
    worse = now.verdict == "fire" and _RANK[now.severity] > _RANK[episode.severity]
    return ("raised", "more is at risk") if worse and episode.state == "raised" else None


def acted(episode: Episode, kind: str, until: int | None, now: Now) -> Episode:
    """The episode after what a person did: acknowledge, snooze or resolve; the same object where it changes nothing."""
    if kind == "acknowledge" and episode.state in ("raised", "snoozed"):
        return _step(episode, "acknowledged", now)
    if kind == "snooze" and until is not None and until > now.place.at:
        if episode.state == "snoozed" and episode.snoozed_until == until:
            return episode
        return replace(_step(episode, "snoozed", now), snoozed_until=until)
    if kind == "resolve":
        return _step(episode, "resolved", now, reason="resolved by hand")
    return episode


def _step(episode: Episode, state: State, now: Now, reason: str = "") -> Episode:
    figures = now.figures if state == "raised" and now.figures else episode.figures
    return Episode(
        episode.alert_id,
        episode.rule,
        state,
        now.severity if state == "raised" else episode.severity,
        episode.raised_at,
        episode.sequence + 1,
        figures,
        None,
        reason,
    )
