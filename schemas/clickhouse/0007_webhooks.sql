-- What became of each webhook, and how the endpoints do: copies of webhook.deliveries, for looking. The version is the
-- offset there, plus one; 0 for what was never sent because it was too old, so that no such row hides a delivery.
CREATE TABLE IF NOT EXISTS webhook_deliveries
(
    webhook_id   String CODEC(ZSTD(1)),
    endpoint     LowCardinality(String),
    type         LowCardinality(String),
    state        LowCardinality(String),
    attempt      UInt16,
    next_at      Nullable(DateTime64(6, 'UTC')),
    status       UInt16,
    reason       String CODEC(ZSTD(1)),
    at           DateTime64(6, 'UTC'),
    alert_id     String CODEC(ZSTD(1)),
    sequence     UInt64,
    occurred_at  DateTime64(6, 'UTC'),
    store_id     String CODEC(ZSTD(1)),
    sku          String CODEC(ZSTD(1)),
    rule         LowCardinality(String),
    severity     LowCardinality(String),
    partition    UInt16,
    offset       UInt64,
    version      UInt64
)
ENGINE = ReplacingMergeTree(version)
ORDER BY webhook_id;

CREATE TABLE IF NOT EXISTS webhook_endpoints
(
    endpoint     String,
    state        LowCardinality(String),
    since        DateTime64(6, 'UTC'),
    reason       String,
    at           DateTime64(6, 'UTC'),
    partition    UInt16,
    offset       UInt64,
    version      UInt64
)
ENGINE = ReplacingMergeTree(version)
ORDER BY endpoint;
