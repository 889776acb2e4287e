-- Absolute totals, upserted: a row written twice, or an older one after a newer one, changes nothing.
-- The version is the offset in pos.receipts of the row's last change. Partition and epoch are part of the key:
-- a store that arrives in two partitions has two rows, which the views add up.
CREATE TABLE IF NOT EXISTS sales_windows
(
    store_id      String CODEC(ZSTD(1)),
    sku           String CODEC(ZSTD(1)),
    currency      LowCardinality(String),
    window_start  DateTime('UTC') CODEC(Delta, ZSTD(1)),
    business_date Date CODEC(Delta, ZSTD(1)),
    partition     UInt16 CODEC(T64, ZSTD(1)),
    epoch         UInt32 CODEC(T64, ZSTD(1)),
    version       UInt64 CODEC(Delta, ZSTD(1)),
    units         Decimal(18, 5) CODEC(ZSTD(1)),
    returned      Decimal(18, 5) CODEC(ZSTD(1)),
    revenue       Decimal(18, 4) CODEC(ZSTD(1)),
    discount      Decimal(18, 4) CODEC(ZSTD(1)),
    tax           Decimal(18, 4) CODEC(ZSTD(1)),
    receipts      Int64 CODEC(T64, ZSTD(1))
)
ENGINE = ReplacingMergeTree(version)
PARTITION BY toYYYYMM(window_start)
ORDER BY (store_id, sku, currency, window_start, business_date, partition, epoch);

CREATE TABLE IF NOT EXISTS store_windows
(
    store_id     String CODEC(ZSTD(1)),
    window_start DateTime('UTC') CODEC(Delta, ZSTD(1)),
    partition    UInt16,
    epoch        UInt32,
    version      UInt64 CODEC(Delta, ZSTD(1)),
    receipts     Int64 CODEC(T64, ZSTD(1))
)
ENGINE = ReplacingMergeTree(version)
PARTITION BY toYYYYMM(window_start)
ORDER BY (store_id, window_start, partition, epoch);

CREATE TABLE IF NOT EXISTS partition_results
(
    epoch     UInt32,
    partition UInt16,
    result    LowCardinality(String),
    version   UInt64,
    messages  UInt64
)
ENGINE = ReplacingMergeTree(version)
ORDER BY (epoch, partition, result);

CREATE TABLE IF NOT EXISTS epochs
(
    epoch          UInt32,
    state          LowCardinality(String),
    window_seconds UInt32,
    grace_seconds  UInt32,
    version        UInt64
)
ENGINE = ReplacingMergeTree(version)
ORDER BY epoch;

CREATE TABLE IF NOT EXISTS products
(
    sku        String,
    name       String,
    department LowCardinality(String),
    category   LowCardinality(String),
    brand      LowCardinality(String),
    version    UInt64 DEFAULT toUnixTimestamp64Milli(now64(3))
)
ENGINE = ReplacingMergeTree(version)
ORDER BY sku;
