"""What the sinks report to Prometheus."""

from __future__ import annotations

from prometheus_client import Counter, Gauge, Histogram

from schemas import metrics as declared

rows = Counter(declared.ROWS.name, declared.ROWS.help, declared.ROWS.labels)
insert_seconds = Histogram(declared.INSERT.name, declared.INSERT.help, declared.INSERT.labels)
retries = Counter(declared.RETRIES.name, declared.RETRIES.help, declared.RETRIES.labels)
set_aside = Counter(declared.SET_ASIDE.name, declared.SET_ASIDE.help, declared.SET_ASIDE.labels)
freshness = Gauge(declared.FRESHNESS.name, declared.FRESHNESS.help, multiprocess_mode="livemostrecent")
lag = Gauge(declared.LAG.name, declared.LAG.help, declared.LAG.labels, multiprocess_mode="livemostrecent")
store_partitions = Gauge(
    declared.STORE_PARTITIONS.name,
    declared.STORE_PARTITIONS.help,
    declared.STORE_PARTITIONS.labels,
    multiprocess_mode="livemostrecent",
)
