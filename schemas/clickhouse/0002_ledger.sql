-- Late lines, the ledger of receipts straight from pos.receipts, and the refused messages.
CREATE TABLE IF NOT EXISTS late_lines
(
    epoch          UInt32,
    partition      UInt16,
    offset         UInt64 CODEC(Delta, ZSTD(1)),
    position       UInt16,
    store_id       String CODEC(ZSTD(1)),
    transaction_id String CODEC(ZSTD(1)),
    reversal       Bool,
    occurred_at    DateTime64(6, 'UTC') CODEC(Delta, ZSTD(1)),
    window_start   DateTime('UTC') CODEC(Delta, ZSTD(1)),
    watermark      DateTime64(6, 'UTC') CODEC(Delta, ZSTD(1)),
    currency       LowCardinality(String),
    business_date  Date,
    store_receipts Int64,
    sku            String CODEC(ZSTD(1)),
    units          Decimal(18, 5),
    returned       Decimal(18, 5),
    revenue        Decimal(18, 4),
    discount       Decimal(18, 4),
    tax            Decimal(18, 4),
    receipts       Int64
)
ENGINE = ReplacingMergeTree
ORDER BY (epoch, partition, offset, position);

CREATE TABLE IF NOT EXISTS receipts
(
    store_id                String CODEC(ZSTD(1)),
    transaction_id          String CODEC(ZSTD(1)),
    epoch                   UInt32 CODEC(T64, ZSTD(1)),
    partition               UInt16 CODEC(T64, ZSTD(1)),
    offset                  UInt64 CODEC(Delta, ZSTD(1)),
    reversal                Bool,
    type                    LowCardinality(String),
    occurred_at             DateTime64(6, 'UTC') CODEC(Delta, ZSTD(1)),
    published_at            DateTime64(3, 'UTC') CODEC(Delta, ZSTD(1)),
    business_date           Date CODEC(Delta, ZSTD(1)),
    currency                LowCardinality(String),
    till_id                 Nullable(String) CODEC(ZSTD(1)),
    sequence                Nullable(Int64) CODEC(ZSTD(1)),
    customer                Nullable(String) CODEC(ZSTD(1)) COMMENT 'hash of customer_id: never the raw id',
    original_transaction_id Nullable(String) CODEC(ZSTD(1)),
    lines                   UInt16,
    amount                  Decimal(18, 4) COMMENT 'paid less refunded over its lines that are not void; negative for a post_void'
)
ENGINE = ReplacingMergeTree
ORDER BY (store_id, transaction_id, epoch, partition, offset);

CREATE TABLE IF NOT EXISTS receipt_lines
(
    store_id       String CODEC(ZSTD(1)),
    transaction_id String CODEC(ZSTD(1)),
    epoch          UInt32 CODEC(T64, ZSTD(1)),
    partition      UInt16 CODEC(T64, ZSTD(1)),
    offset         UInt64 CODEC(Delta, ZSTD(1)),
    position       UInt16 CODEC(T64, ZSTD(1)),
    reversal       Bool,
    occurred_at    DateTime64(6, 'UTC') CODEC(Delta, ZSTD(1)),
    business_date  Date CODEC(Delta, ZSTD(1)),
    currency       LowCardinality(String),
    sku            String CODEC(ZSTD(1)),
    kind           Enum8('sale' = 1, 'return' = 2),
    quantity       Decimal(18, 5) CODEC(ZSTD(1)),
    amount         Decimal(18, 4) CODEC(ZSTD(1)),
    discount       Decimal(18, 4) CODEC(ZSTD(1)),
    tax            Decimal(18, 4) CODEC(ZSTD(1)),
    unit           LowCardinality(Nullable(String)),
    restocked      Bool,
    written_at     DateTime('UTC') DEFAULT now() CODEC(Delta, ZSTD(1))
)
ENGINE = ReplacingMergeTree
ORDER BY (store_id, transaction_id, epoch, partition, offset, position);

CREATE TABLE IF NOT EXISTS rejected
(
    topic            LowCardinality(String),
    partition        UInt16,
    offset           UInt64,
    reason           String CODEC(ZSTD(1)),
    path             String CODEC(ZSTD(1)),
    key              Nullable(String) CODEC(ZSTD(1)),
    value            Nullable(String) CODEC(ZSTD(3)),
    letter_partition UInt16,
    letter_offset    UInt64,
    rejected_at      DateTime64(3, 'UTC')
)
ENGINE = ReplacingMergeTree
ORDER BY (topic, partition, offset);
