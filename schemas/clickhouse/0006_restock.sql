-- What restock decides from restock.feed. Both tables take a row that is written twice for one.

-- Every state of every alert. Partition and offset are those of its message in restock.alerts: what somebody does to the
-- alert goes into the same partition of restock.feed.
CREATE TABLE IF NOT EXISTS restock_alerts
(
    alert_id             String CODEC(ZSTD(1)),
    sequence             UInt32 CODEC(T64, ZSTD(1)),
    partition            UInt16 CODEC(T64, ZSTD(1)),
    offset               UInt64 CODEC(T64, ZSTD(1)),
    rule                 LowCardinality(String),
    state                LowCardinality(String),
    severity             LowCardinality(String),
    store_id             String CODEC(ZSTD(1)),
    sku                  String CODEC(ZSTD(1)),
    name                 String CODEC(ZSTD(1)),
    department           LowCardinality(String),
    category             LowCardinality(String),
    brand                LowCardinality(String),
    on_hand              Decimal(18, 5) CODEC(ZSTD(1)),
    on_order             Decimal(18, 5) CODEC(ZSTD(1)),
    reorder_point        Nullable(Decimal(18, 5)) CODEC(ZSTD(1)),
    days_of_cover        Nullable(Float64) CODEC(ZSTD(1)),
    suggested_order      Nullable(Decimal(18, 5)) CODEC(ZSTD(1)),
    lost_revenue_per_day Nullable(Decimal(18, 4)) CODEC(ZSTD(1)),
    currency             LowCardinality(String),
    window_start         DateTime('UTC') CODEC(Delta, ZSTD(1)),
    raised_at            DateTime64(6, 'UTC') CODEC(Delta, ZSTD(1)),
    changed_at           DateTime64(6, 'UTC') CODEC(Delta, ZSTD(1)),
    snoozed_until        Nullable(DateTime64(6, 'UTC')) CODEC(ZSTD(1)),
    reason               String CODEC(ZSTD(1)),
    figures              Map(String, Float64) CODEC(ZSTD(1))
)
ENGINE = ReplacingMergeTree(offset)
ORDER BY (alert_id, sequence);

-- What each shelf holds. The version is the offset in restock.feed after which it did. A store that arrives in two
-- partitions has two rows, each with what its own partition tells.
CREATE TABLE IF NOT EXISTS stock_positions
(
    store_id      String CODEC(ZSTD(1)),
    sku           String CODEC(ZSTD(1)),
    partition     UInt16 CODEC(T64, ZSTD(1)),
    version       UInt64 CODEC(T64, ZSTD(1)),
    name          String CODEC(ZSTD(1)),
    department    LowCardinality(String),
    category      LowCardinality(String),
    brand         LowCardinality(String),
    counted       Bool,
    on_hand       Nullable(Decimal(18, 5)) CODEC(ZSTD(1)),
    on_order      Decimal(18, 5) CODEC(ZSTD(1)),
    orders        Array(Tuple(
        order_id    String,
        placed_at   DateTime64(6, 'UTC'),
        remaining   Decimal(18, 5),
        expected_at Nullable(DateTime64(6, 'UTC')),
        stage       String,
        alert_id    String
    )) CODEC(ZSTD(1)),
    demand_a_day  Float64 CODEC(ZSTD(1)),
    days_of_cover Nullable(Float64) CODEC(ZSTD(1)),
    reorder_point Nullable(Decimal(18, 5)) CODEC(ZSTD(1)),
    order_up_to   Nullable(Decimal(18, 5)) CODEC(ZSTD(1)),
    price         Nullable(Decimal(18, 4)) CODEC(ZSTD(1)),
    currency      LowCardinality(String),
    updated_at    DateTime64(6, 'UTC') CODEC(Delta, ZSTD(1))
)
ENGINE = ReplacingMergeTree(version)
ORDER BY (store_id, sku, partition);
