"""Every metric, declared once: name, kind, meaning, labels. The roles make Prometheus objects of those they set."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class Metric:
    """A metric as docs/metrics.md lists it. `combine` says how gauges of several processes become one figure."""

    name: str
    kind: Literal["counter", "gauge", "histogram"]
    help: str
    labels: tuple[str, ...] = ()
    combine: Literal["livemax", "livesum", "livemostrecent"] = "livemax"


RECEIPTS = Metric(
    "tillstream_receipts_total",
    "counter",
    "messages of pos.receipts by result: folded, duplicate, late, rejected, ignored, replayed; for rates only",
    ("result",),
)
LINES = Metric("tillstream_lines_total", "counter", "lines of folded and late receipts")
EVENT_LAG = Metric(
    "tillstream_event_lag_seconds", "gauge", "now less the newest folded receipt's time", combine="livemostrecent"
)
OPEN_WINDOWS = Metric("tillstream_open_windows", "gauge", "open windows of all stores", ("partition",), "livesum")
FLUSH = Metric("tillstream_flush_seconds", "histogram", "one chunk, from its fold to its commit being allowed")
LAG = Metric(
    "tillstream_consumer_lag",
    "gauge",
    "records between the committed offset and the end",
    ("group", "topic", "partition"),
    combine="livemostrecent",
)
ROWS = Metric("tillstream_clickhouse_rows_total", "counter", "rows inserted, repeats included", ("table",))
INSERT = Metric("tillstream_clickhouse_insert_seconds", "histogram", "one insert into one table", ("table",))
RETRIES = Metric("tillstream_sink_retries_total", "counter", "writes that failed and were tried again", ("sink",))
SET_ASIDE = Metric(
    "tillstream_sink_set_aside_total", "counter", "rows that ClickHouse refused for their data", ("sink",)
)
FRESHNESS = Metric(
    "tillstream_freshness_seconds",
    "gauge",
    "from the publication of the newest receipt to its rows of sales being readable, as of the last batch",
    combine="livemostrecent",
)
STORE_PARTITIONS = Metric(
    "tillstream_store_partitions",
    "gauge",
    "partitions in which a store arrives, for stores with more than one: duplicates are judged within a partition",
    ("store_id",),
    combine="livemostrecent",
)
ALERTS = Metric(
    "tillstream_alerts_total",
    "counter",
    "alerts by what became of them: raised, acknowledged, snoozed, ordered, resolved",
    ("rule", "state"),
)
RESTOCK_LAG = Metric(
    "tillstream_restock_lag",
    "gauge",
    "messages of restock.feed by which restock has not decided yet",
    ("partition",),
    "livesum",
)
DELIVERIES = Metric(
    "tillstream_webhook_deliveries_total",
    "counter",
    "attempts and decisions of the webhook sender by result: delivered, retried, failed, expired, disabled",
    ("result",),
)
WEBHOOK = Metric("tillstream_webhook_seconds", "histogram", "one attempt at a webhook, until its answer was read")
TILL_GAPS = Metric("tillstream_till_gaps_total", "counter", "gaps in tills' sequence numbers (a later release)")

ALL = (
    RECEIPTS, LINES, EVENT_LAG, OPEN_WINDOWS, FLUSH, LAG, ROWS, INSERT, RETRIES, SET_ASIDE, FRESHNESS, STORE_PARTITIONS,
    ALERTS, RESTOCK_LAG, DELIVERIES, WEBHOOK, TILL_GAPS,
)  # fmt: skip
