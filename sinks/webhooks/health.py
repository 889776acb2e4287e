"""How endpoints do: since when one fails, and when it is given up. Pure; what changed is told to the log."""

from __future__ import annotations

from schemas.delivery import EndpointState
from sinks.webhooks.endpoint import Tuning
from sinks.webhooks.schedule import Outcome


class Health:
    """The endpoints' states as the log has them, and failures that are too young to be noted there.

    A failure is noted only once it has lasted: otherwise an endpoint that fails now and then would write to the log
    with every answer.
    """

    def __init__(self) -> None:
        self._known: dict[str, EndpointState] = {}
        self._first_failure: dict[str, int] = {}

    def learn(self, state: EndpointState) -> None:
        """Take up what the log says, whoever wrote it."""
        self._known[state.endpoint] = state
        if state.state == "ok":
            self._first_failure.pop(state.endpoint, None)

    def disabled(self, endpoint: str) -> bool:
        """Whether nothing is to be sent to it."""
        known = self._known.get(endpoint)
        return known is not None and known.state == "disabled"

    def after(self, endpoint: str, outcome: Outcome, now: int, tuning: Tuning) -> EndpointState | None:
        """The state to be noted after an answer, or None where nothing has changed."""
        known = self._known.get(endpoint)
        state = known.state if known else "ok"
        if outcome.success:
            self._first_failure.pop(endpoint, None)
            return None if state == "ok" else EndpointState(endpoint=endpoint, state="ok", since=now, at=now)
        if state == "disabled":
            return None
        if known is not None and state == "failing":
            since = known.since
        else:
            since = self._first_failure.setdefault(endpoint, now)
        if outcome.gone:
            return _disabled(endpoint, now, "answered 410: it wants nothing any more")
        if now - since >= tuning.dead_after:
            return _disabled(endpoint, now, f"has failed since it last succeeded: {outcome.reason}")
        if state == "ok" and now - since >= tuning.noted_after:
            return EndpointState(endpoint=endpoint, state="failing", since=since, reason=outcome.reason, at=now)
        return None


def _disabled(endpoint: str, now: int, reason: str) -> EndpointState:
    return EndpointState(endpoint=endpoint, state="disabled", since=now, reason=reason, at=now)
