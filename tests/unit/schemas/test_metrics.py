"""Every metric is declared once, and a role sets each that this version has."""

from __future__ import annotations

from prometheus_client import REGISTRY

import sinks.metrics
import streams.metrics
from schemas import metrics

CONTRACT = {
    "tillstream_receipts_total", "tillstream_lines_total", "tillstream_event_lag_seconds", "tillstream_consumer_lag",
    "tillstream_flush_seconds", "tillstream_open_windows", "tillstream_clickhouse_rows_total",
    "tillstream_clickhouse_insert_seconds", "tillstream_sink_retries_total", "tillstream_alerts_total",
    "tillstream_webhook_deliveries_total", "tillstream_webhook_seconds", "tillstream_till_gaps_total",
    "tillstream_freshness_seconds",
}  # fmt: skip


def test_the_contracts_metrics_are_declared():
    assert {metric.name for metric in metrics.ALL} >= CONTRACT
    assert len({metric.name for metric in metrics.ALL}) == len(metrics.ALL)


def test_the_roles_have_what_is_declared_and_nothing_else():
    assert streams.metrics is not sinks.metrics, "both are imported"
    found = {}
    for one in REGISTRY.collect():
        if one.name.startswith("tillstream_"):
            name = f"{one.name}_total" if one.type == "counter" else one.name
            found[name] = one.type, one.documentation
    now = [metric for metric in metrics.ALL if "(a later release)" not in metric.help]
    assert found == {metric.name: (metric.kind, metric.help) for metric in now}
