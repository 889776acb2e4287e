"""What the fold reports to Prometheus. Counters start at 0 with the process: exact counts are in ClickHouse."""

from __future__ import annotations

import time
from collections.abc import Iterable

from prometheus_client import Counter, Gauge, Histogram

from schemas import metrics as declared
from schemas.alert import Alert
from streams.fold import Fold
from streams.state import PartitionState

_receipts = Counter(declared.RECEIPTS.name, declared.RECEIPTS.help, declared.RECEIPTS.labels)
_lines = Counter(declared.LINES.name, declared.LINES.help)
_event_lag = Gauge(declared.EVENT_LAG.name, declared.EVENT_LAG.help, multiprocess_mode=declared.EVENT_LAG.combine)
_open_windows = Gauge(
    declared.OPEN_WINDOWS.name,
    declared.OPEN_WINDOWS.help,
    declared.OPEN_WINDOWS.labels,
    multiprocess_mode=declared.OPEN_WINDOWS.combine,
)
_alerts = Counter(declared.ALERTS.name, declared.ALERTS.help, declared.ALERTS.labels)
_restock_lag = Gauge(
    declared.RESTOCK_LAG.name,
    declared.RESTOCK_LAG.help,
    declared.RESTOCK_LAG.labels,
    multiprocess_mode=declared.RESTOCK_LAG.combine,
)
_flush = Histogram(declared.FLUSH.name, declared.FLUSH.help)


def observe(state: PartitionState, done: Fold, seconds: float) -> None:
    """Report one flush that took so many seconds."""
    for result, messages in done.results.items():
        if messages > 0:
            _receipts.labels(result).inc(messages)
    _lines.inc(done.lines)
    _flush.observe(seconds)
    _open_windows.labels(str(state.partition)).set(state.open_windows())
    if done.newest:
        # For people's eyes only: no decision is taken from this clock.
        _event_lag.set(max(0.0, time.time() - done.newest / 1_000_000))


def alerted(alerts: Iterable[Alert]) -> None:
    """Report alerts that were sent."""
    for one in alerts:
        _alerts.labels(one.rule, one.state).inc()


def undecided(partition: int, messages: int) -> None:
    """Report how many messages of a partition's feed wait to be decided by."""
    _restock_lag.labels(str(partition)).set(messages)


def forget(partition: int) -> None:
    """Take a revoked partition's gauges away."""
    _open_windows.labels(str(partition)).set(0)
    _restock_lag.labels(str(partition)).set(0)
