-- Roll-ups: what `sales` shows, by the hour and by the day (UTC), of each epoch. tillstream/rollups/ computes one
-- epoch's day at a time anew from the rows under `sales`, late lines included, and puts it in the place of what was
-- there, in one step. So no row is ever added to, none needs FINAL, and ClickHouse answers sums from the projections.

-- Which day of which epoch rows have arrived for: each sink counts its own touches, under a number drawn at its start,
-- and writes the count after the rows and before it commits. Their sum grows whenever rows may have changed.
CREATE TABLE IF NOT EXISTS rollup_touches
(
    epoch   UInt32,
    day     Date,
    sink    UInt64,
    touches UInt64
)
ENGINE = ReplacingMergeTree(touches)
ORDER BY (epoch, day, sink);

-- Days that were computed and have no rows: nothing else would say that they are done.
CREATE TABLE IF NOT EXISTS rollup_empty
(
    epoch   UInt32,
    day     Date,
    touches UInt64
)
ENGINE = ReplacingMergeTree(touches)
ORDER BY (epoch, day);

-- The newest row says up to when the roll-ups hold everything.
CREATE TABLE IF NOT EXISTS rollup_passes
(
    name  LowCardinality(String) DEFAULT 'sales',
    as_of DateTime64(3, 'UTC')
)
ENGINE = ReplacingMergeTree(as_of)
ORDER BY name;

-- A day is a partition and, once merged, one part: asking for one SKU over a year opens 365 of them.
-- `touches` is the sum that a day was computed at: where it is less than the sum of now, the day is due. A day computed
-- earlier and written later (a frozen sink) bears the smaller one, and is computed again.
CREATE TABLE IF NOT EXISTS rollup_hours
(
    epoch        UInt32 CODEC(T64, ZSTD(1)),
    store_id     String CODEC(ZSTD(3)),
    sku          String CODEC(ZSTD(3)),
    currency     LowCardinality(String),
    window_start DateTime('UTC') CODEC(Delta, ZSTD(1)),
    units        Decimal(18, 5) CODEC(ZSTD(1)),
    returned     Decimal(18, 5) CODEC(ZSTD(1)),
    revenue      Decimal(18, 4) CODEC(ZSTD(3)),
    discount     Decimal(18, 4) CODEC(ZSTD(3)),
    tax          Decimal(18, 4) CODEC(ZSTD(1)),
    receipts     Int64 CODEC(T64, ZSTD(1)),
    touches      UInt64 CODEC(Delta, ZSTD(1)),
    PROJECTION by_store
    (
        SELECT epoch, window_start, store_id, currency, sum(units), sum(returned), sum(revenue), sum(discount), sum(tax), sum(receipts)
        GROUP BY epoch, window_start, store_id, currency
    ),
    PROJECTION state (SELECT epoch, toDate(window_start), min(touches) GROUP BY epoch, toDate(window_start))
)
ENGINE = MergeTree
PARTITION BY (epoch, toYYYYMMDD(window_start))
ORDER BY (store_id, sku, currency, window_start)
SETTINGS index_granularity = 2048;

CREATE TABLE IF NOT EXISTS rollup_days
(
    epoch        UInt32 CODEC(T64, ZSTD(1)),
    store_id     String CODEC(ZSTD(3)),
    sku          String CODEC(ZSTD(3)),
    currency     LowCardinality(String),
    window_start DateTime('UTC') CODEC(Delta, ZSTD(1)),
    units        Decimal(18, 5) CODEC(ZSTD(1)),
    returned     Decimal(18, 5) CODEC(ZSTD(1)),
    revenue      Decimal(18, 4) CODEC(ZSTD(3)),
    discount     Decimal(18, 4) CODEC(ZSTD(3)),
    tax          Decimal(18, 4) CODEC(ZSTD(1)),
    receipts     Int64 CODEC(T64, ZSTD(1)),
    touches      UInt64 CODEC(Delta, ZSTD(1)),
    PROJECTION by_store
    (
        SELECT epoch, window_start, store_id, currency, sum(units), sum(returned), sum(revenue), sum(discount), sum(tax), sum(receipts)
        GROUP BY epoch, window_start, store_id, currency
    ),
    PROJECTION by_sku
    (
        SELECT epoch, sku, currency, window_start, sum(units), sum(returned), sum(revenue), sum(discount), sum(tax), sum(receipts)
        GROUP BY epoch, sku, currency, window_start
    ),
    PROJECTION state (SELECT epoch, toDate(window_start), min(touches) GROUP BY epoch, toDate(window_start))
)
ENGINE = MergeTree
PARTITION BY (epoch, toYYYYMMDD(window_start))
ORDER BY (store_id, sku, currency, window_start)
SETTINGS index_granularity = 1024;

-- Rows that were there before there were roll-ups.
INSERT INTO rollup_touches
SELECT epoch, toDate(window_start) AS day, 0 AS sink, 1 AS touches FROM sales_windows GROUP BY epoch, day
UNION ALL
SELECT epoch, toDate(window_start) AS day, 0 AS sink, 1 AS touches FROM late_lines GROUP BY epoch, day;
