-- The views that people query. Everything derived carries its epoch; the views add up the live ones. This file is
-- the last in the order of names, so that every table and column is there, and may change: views are made anew.
CREATE OR REPLACE VIEW live_epochs AS
WITH last AS (SELECT epoch, argMax(state, version) AS is, argMax(replaces, version) AS instead_of FROM epochs GROUP BY epoch)
SELECT epoch
FROM last
WHERE is = 'live' AND epoch NOT IN (SELECT arrayJoin(instead_of) FROM last WHERE is = 'live');

-- A late receipt counts if the ledger knows no message of its id at a smaller offset of its partition and epoch.
-- It must know the late one itself: until then the ledger has not read that far, and nothing can be said.
-- Joined rather than asked for with IN: so a filter on the store reaches the ledger too, however large it is.
CREATE OR REPLACE VIEW late_counted AS
SELECT l.*
FROM (SELECT * FROM late_lines FINAL WHERE epoch IN (SELECT epoch FROM live_epochs)) AS l
INNER JOIN
(
    SELECT store_id, transaction_id, reversal, epoch, partition, min(offset) AS first
    FROM receipts
    WHERE (store_id, transaction_id) IN (SELECT store_id, transaction_id FROM late_lines)
    GROUP BY store_id, transaction_id, reversal, epoch, partition
) AS k
ON l.store_id = k.store_id AND l.transaction_id = k.transaction_id AND l.reversal = k.reversal
    AND l.epoch = k.epoch AND l.partition = k.partition AND l.offset = k.first;

CREATE OR REPLACE VIEW sales_rows AS
SELECT store_id, sku, toString(currency) AS currency, window_start, business_date, units, returned, revenue, discount, tax, receipts
FROM sales_windows FINAL
WHERE epoch IN (SELECT epoch FROM live_epochs)
UNION ALL
SELECT store_id, sku, toString(currency) AS currency, window_start, business_date, units, returned, revenue, discount, tax, receipts
FROM late_counted;

CREATE OR REPLACE VIEW sales AS
SELECT store_id, sku, currency, window_start,
       CAST(sum(r.units) AS Decimal(18, 5)) AS units,
       CAST(sum(r.returned) AS Decimal(18, 5)) AS returned,
       CAST(sum(r.revenue) AS Decimal(18, 4)) AS revenue,
       CAST(sum(r.discount) AS Decimal(18, 4)) AS discount,
       CAST(sum(r.tax) AS Decimal(18, 4)) AS tax,
       CAST(sum(r.receipts) AS Int64) AS receipts
FROM sales_rows AS r
GROUP BY store_id, sku, currency, window_start;

CREATE OR REPLACE VIEW sales_by_business_date AS
SELECT store_id, sku, currency, business_date,
       CAST(sum(r.units) AS Decimal(18, 5)) AS units,
       CAST(sum(r.returned) AS Decimal(18, 5)) AS returned,
       CAST(sum(r.revenue) AS Decimal(18, 4)) AS revenue,
       CAST(sum(r.discount) AS Decimal(18, 4)) AS discount,
       CAST(sum(r.tax) AS Decimal(18, 4)) AS tax,
       CAST(sum(r.receipts) AS Int64) AS receipts
FROM sales_rows AS r
GROUP BY store_id, sku, currency, business_date;

-- From the roll-ups, as they were at `as_of`. No grouping here, and the live epochs as a constant rather than by IN: so
-- a sum over these views is answered from the projections of the tables under them.
CREATE OR REPLACE VIEW sales_hourly AS
SELECT store_id, sku, toString(currency) AS currency, window_start, units, returned, revenue, discount, tax, receipts,
       assumeNotNull((SELECT max(as_of) FROM rollup_passes)) AS as_of
FROM rollup_hours
WHERE has((SELECT groupArray(epoch) FROM live_epochs), epoch);

CREATE OR REPLACE VIEW sales_daily AS
SELECT store_id, sku, toString(currency) AS currency, window_start, units, returned, revenue, discount, tax, receipts,
       assumeNotNull((SELECT max(as_of) FROM rollup_passes)) AS as_of
FROM rollup_days
WHERE has((SELECT groupArray(epoch) FROM live_epochs), epoch);

CREATE OR REPLACE VIEW receipt_counts AS
SELECT store_id, window_start, CAST(sum(r.receipts) AS Int64) AS receipts
FROM
(
    SELECT store_id, window_start, receipts FROM store_windows FINAL WHERE epoch IN (SELECT epoch FROM live_epochs)
    UNION ALL
    SELECT store_id, window_start, store_receipts AS receipts FROM late_counted
    LIMIT 1 BY store_id, window_start, epoch, partition, offset -- a late receipt once, not once a line
) AS r
GROUP BY store_id, window_start;

CREATE OR REPLACE VIEW partition_counts AS
SELECT epoch, partition, toString(result) AS result, messages FROM partition_results FINAL;

CREATE OR REPLACE VIEW receipts_once AS
SELECT *
FROM receipts FINAL
WHERE epoch IN (SELECT epoch FROM live_epochs)
ORDER BY store_id, transaction_id, epoch, partition, offset
LIMIT 1 BY store_id, transaction_id, reversal, epoch, partition;

CREATE OR REPLACE VIEW receipt_lines_once AS
SELECT l.*
FROM (SELECT * FROM receipt_lines FINAL WHERE epoch IN (SELECT epoch FROM live_epochs)) AS l
INNER JOIN
(
    SELECT store_id, transaction_id, reversal, epoch, partition, min(offset) AS first
    FROM receipts
    GROUP BY store_id, transaction_id, reversal, epoch, partition
) AS k
ON l.store_id = k.store_id AND l.transaction_id = k.transaction_id AND l.reversal = k.reversal
    AND l.epoch = k.epoch AND l.partition = k.partition AND l.offset = k.first;

-- Dead letters of the live epochs, and what a sink set aside.
CREATE OR REPLACE VIEW dead_letters AS
SELECT * FROM rejected FINAL WHERE epoch = 0 OR epoch IN (SELECT epoch FROM live_epochs);

-- Alerts: every state, and of each alert the latest one.
CREATE OR REPLACE VIEW alert_states AS SELECT * FROM restock_alerts FINAL;

CREATE OR REPLACE VIEW alerts AS
SELECT * FROM restock_alerts FINAL
ORDER BY alert_id, sequence DESC
LIMIT 1 BY alert_id;

-- Of a store that arrives in two partitions the position that changed last: neither knows what the other does, so that
-- their sum would count twice what was counted in the store.
CREATE OR REPLACE VIEW stock_now AS
SELECT * FROM stock_positions FINAL
ORDER BY store_id, sku, updated_at DESC, partition DESC
LIMIT 1 BY store_id, sku;

-- Sold by the roll-ups of seven days, so that a chain's is asked for in moments.
CREATE OR REPLACE VIEW stock_cover AS
SELECT p.store_id AS store_id, p.sku AS sku, p.name AS name, p.department AS department, p.category AS category,
       p.brand AS brand, p.counted AS counted, p.on_hand AS on_hand, p.on_order AS on_order,
       p.demand_a_day AS demand_a_day, p.days_of_cover AS days_of_cover, p.reorder_point AS reorder_point,
       p.order_up_to AS order_up_to, p.price AS price, p.currency AS currency,
       s.sold AS sold_7d,
       if(p.on_hand IS NULL OR s.sold + greatest(assumeNotNull(p.on_hand), 0) <= 0, NULL,
          toFloat64(s.sold) / toFloat64(s.sold + greatest(assumeNotNull(p.on_hand), 0))) AS sell_through_7d,
       p.updated_at AS updated_at
FROM stock_now AS p
LEFT JOIN
(
    SELECT store_id, sku, CAST(sum(units) AS Decimal(18, 5)) AS sold
    FROM sales_daily
    WHERE toDate(window_start) > (SELECT toDate(max(updated_at)) - 7 FROM stock_positions)
      AND toDate(window_start) <= (SELECT toDate(max(updated_at)) FROM stock_positions)
    GROUP BY store_id, sku
) AS s
ON p.store_id = s.store_id AND p.sku = s.sku;

-- What is out of stock now, the most expensive first. Since when, an open alert tells.
CREATE OR REPLACE VIEW stockouts AS
SELECT p.store_id AS store_id, p.sku AS sku, p.name AS name, p.department AS department, p.category AS category,
       p.brand AS brand, p.on_hand AS on_hand, p.on_order AS on_order, p.demand_a_day AS demand_a_day,
       CAST(round(p.demand_a_day * toFloat64(p.price), 4) AS Nullable(Decimal(18, 4))) AS lost_revenue_per_day,
       p.currency AS currency, a.since AS since, a.alert_id AS alert_id, p.updated_at AS updated_at
FROM (SELECT * FROM stock_now WHERE on_hand <= 0) AS p
LEFT JOIN
(
    SELECT store_id, sku, alert_id, toNullable(raised_at) AS since
    FROM alerts
    WHERE rule = 'stock_out' AND state != 'resolved'
    ORDER BY store_id, sku, raised_at DESC
    LIMIT 1 BY store_id, sku
) AS a
ON p.store_id = a.store_id AND p.sku = a.sku
ORDER BY lost_revenue_per_day DESC NULLS LAST, store_id, sku;

-- Every open order, and what open alerts suggest to order.
CREATE OR REPLACE VIEW stock_orders AS
SELECT store_id, sku, name, tupleElement(o, 'stage') AS stage, tupleElement(o, 'remaining') AS quantity,
       tupleElement(o, 'order_id') AS order_id, toNullable(tupleElement(o, 'placed_at')) AS placed_at,
       tupleElement(o, 'expected_at') AS expected_at, tupleElement(o, 'alert_id') AS alert_id
FROM stock_now
ARRAY JOIN orders AS o
UNION ALL
SELECT store_id, sku, name, 'suggested' AS stage, assumeNotNull(suggested_order) AS quantity, '' AS order_id,
       NULL AS placed_at, NULL AS expected_at, alert_id
FROM
(
    SELECT store_id, sku, name, suggested_order, alert_id
    FROM alerts
    WHERE rule IN ('reorder_point', 'stock_out') AND state IN ('raised', 'acknowledged', 'snoozed')
      AND suggested_order > 0
    ORDER BY store_id, sku, changed_at DESC
    LIMIT 1 BY store_id, sku
);
