"""An endpoint, which alerts it wants, and how patient the sender is with it: plain data and pure decisions."""

from __future__ import annotations

from dataclasses import dataclass, field

from schemas.alert import Alert, EventType, Severity, State

SECOND = 1_000_000
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE
DAY = 24 * HOUR
# The schedule of Standard Webhooks: ten attempts in 75 h 35 min; the first is made at once.
DELAYS = (5 * SECOND, 5 * MINUTE, 30 * MINUTE, 2 * HOUR, 5 * HOUR, 10 * HOUR, 14 * HOUR, 20 * HOUR, 24 * HOUR)
_RANKS: dict[Severity, int] = {"info": 0, "warning": 1, "critical": 2}
_EVENTS: dict[State, EventType] = {"raised": "restock.raised", "resolved": "restock.resolved"}


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where webhooks go. `stores` empty: of all. `digest` in microseconds; 0 sends each at once.

    Neither the URL nor the secrets show in its text: many receivers put a token into the path.
    """

    name: str
    url: str = field(repr=False)
    secrets: tuple[str, ...] = field(repr=False)
    events: frozenset[EventType] = frozenset({"restock.raised", "restock.resolved"})
    stores: frozenset[str] = frozenset()
    severity: Severity = "info"
    digest: int = 0
    concurrency: int = 16

    def wants(self, event: EventType, alert: Alert) -> bool:
        """Whether this alert is for this endpoint."""
        return (
            event in self.events
            and (not self.stores or alert.store_id in self.stores)
            and _RANKS[alert.severity] >= _RANKS[self.severity]
        )

    def first_at(self, event: EventType, alert: Alert, now: int) -> int:
        """When it is first sent.

        Raised alerts below critical wait for the next multiple of `digest` since the Unix epoch, whoever sends them:
        those of two partitions go out together.
        """
        if not self.digest or event != "restock.raised" or alert.severity == "critical":
            return now
        return -(-now // self.digest) * self.digest


@dataclass(frozen=True, slots=True)
class Tuning:
    """How patient the sender is, in microseconds. For tests to shorten, and no setting.

    `delays` between attempts; `timeout` of one; `longest_hint`: more than that a Retry-After does not put off;
    `slow`: the first pause of an endpoint that says it has too much; `noted_after`: an endpoint is called failing once
    it has failed for so long; `dead_after`: and given up after this. `session`: of the consumer group. `margin`: by so
    much the clocks of two machines may differ, and a command be slow; `tidy_every`: the log is tidied so often.
    """

    delays: tuple[int, ...] = DELAYS
    timeout: int = 15 * SECOND
    longest_hint: int = 24 * HOUR
    slow: int = SECOND
    longest_pause: int = 5 * MINUTE
    noted_after: int = MINUTE
    dead_after: int = 5 * DAY
    session: int = 10 * SECOND
    margin: int = HOUR
    tidy_every: int = 10 * SECOND


def event_of(alert: Alert) -> EventType | None:
    """The event that an alert's state is to the outside; acknowledged, snoozed and ordered are none."""
    return _EVENTS.get(alert.state)
