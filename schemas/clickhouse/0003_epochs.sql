-- One row of an epoch says whose place it took, so that one goes and the other comes in the same moment.
ALTER TABLE epochs ADD COLUMN IF NOT EXISTS max_skew_seconds Nullable(UInt32), ADD COLUMN IF NOT EXISTS replaces Array(UInt32);

-- Two epochs judge the same offset, and offsets of a log that was recreated begin anew. 0: written before there was
-- a second epoch, or by a sink that set a row aside.
ALTER TABLE rejected ADD COLUMN IF NOT EXISTS epoch UInt32, MODIFY ORDER BY (topic, partition, offset, epoch);
