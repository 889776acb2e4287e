-- Chosen by `python bench/disk.py --codecs` on the demo's receipts, and on bench/lib/chain.py's rows where the two differ.
-- Rows that are there already are written anew as parts merge. ZSTD(3) finds what repeats further away than ZSTD(1) looks:
-- ids in the order of the key, 0.30 to 0.01 bytes a row for store_id. Offsets seldom grow by the row, so that T64 serves
-- them better than Delta; window starts of a SKU that sells all day do (2.1 bytes a row, T64 2.5), and keep it.
ALTER TABLE sales_windows
    MODIFY COLUMN store_id CODEC(ZSTD(3)), MODIFY COLUMN sku CODEC(ZSTD(3)), MODIFY COLUMN version CODEC(T64, ZSTD(1)),
    MODIFY COLUMN revenue CODEC(ZSTD(3)), MODIFY COLUMN discount CODEC(ZSTD(3));

ALTER TABLE receipts MODIFY COLUMN store_id CODEC(ZSTD(3)), MODIFY COLUMN transaction_id CODEC(ZSTD(3));

ALTER TABLE receipt_lines
    MODIFY COLUMN store_id CODEC(ZSTD(3)), MODIFY COLUMN transaction_id CODEC(ZSTD(3)),
    MODIFY COLUMN position CODEC(ZSTD(1)), MODIFY COLUMN occurred_at CODEC(ZSTD(1)), MODIFY COLUMN sku CODEC(ZSTD(3)),
    MODIFY COLUMN amount CODEC(ZSTD(3)), MODIFY COLUMN discount CODEC(ZSTD(3));
