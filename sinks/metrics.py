"""What the sinks report to Prometheus."""

from __future__ import annotations

from prometheus_client import Counter, Gauge, Histogram

from schemas import metrics as declared


def _gauge(metric: declared.Metric) -> Gauge:
    return Gauge(metric.name, metric.help, metric.labels, multiprocess_mode=metric.combine)


rows = Counter(declared.ROWS.name, declared.ROWS.help, declared.ROWS.labels)
insert_seconds = Histogram(declared.INSERT.name, declared.INSERT.help, declared.INSERT.labels)
retries = Counter(declared.RETRIES.name, declared.RETRIES.help, declared.RETRIES.labels)
set_aside = Counter(declared.SET_ASIDE.name, declared.SET_ASIDE.help, declared.SET_ASIDE.labels)
webhook_deliveries = Counter(declared.DELIVERIES.name, declared.DELIVERIES.help, declared.DELIVERIES.labels)
webhook_seconds = Histogram(declared.WEBHOOK.name, declared.WEBHOOK.help)
freshness = _gauge(declared.FRESHNESS)
lag = _gauge(declared.LAG)
store_partitions = _gauge(declared.STORE_PARTITIONS)
