// The peer: Flink SQL, as its documentation teaches it: a Kafka table, a grouped sum, an upsert-kafka table.
//
//   java -cp 'libs/*:classes' Totals HOST:PORT FOLDER PARALLELISM
//
// Revenue per store, SKU and hour. State in the heap, a checkpoint every two seconds, which is also when the Kafka
// source commits its offsets; mini-batches as Flink's page on tuning proposes them.

import java.util.HashMap;
import java.util.Map;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.table.api.EnvironmentSettings;
import org.apache.flink.table.api.TableEnvironment;

public final class Totals {
    public static void main(String[] given) throws Exception {
        Map<String, String> settings = new HashMap<>();
        settings.put("state.backend.type", "hashmap");
        settings.put("execution.checkpointing.interval", "2s");
        settings.put("execution.checkpointing.dir", "file://" + given[1] + "/checkpoints");
        settings.put("parallelism.default", given[2]);
        settings.put("table.exec.mini-batch.enabled", "true");
        settings.put("table.exec.mini-batch.allow-latency", "1s");
        settings.put("table.exec.mini-batch.size", "5000");
        settings.put("table.local-time-zone", "UTC");
        TableEnvironment flink = TableEnvironment.create(EnvironmentSettings.newInstance()
            .inStreamingMode().withConfiguration(Configuration.fromMap(settings)).build());

        // Which topics there are is asked once: partitions are not added while it runs.
        flink.executeSql(
            "CREATE TABLE receipts ("
            + " store_id STRING, occurred_at STRING,"
            + " `lines` ARRAY<ROW<sku STRING, amount DECIMAL(18, 4)>>"
            + ") WITH ("
            + " 'connector' = 'kafka', 'topic' = 'pos.receipts', 'format' = 'json',"
            + " 'properties.bootstrap.servers' = '" + given[0] + "', 'properties.group.id' = 'flink-sql',"
            + " 'scan.startup.mode' = 'earliest-offset')");
        flink.executeSql(
            "CREATE TABLE totals ("
            + " store_id STRING, sku STRING, hour_of STRING, revenue DECIMAL(38, 4),"
            + " PRIMARY KEY (store_id, sku, hour_of) NOT ENFORCED"
            + ") WITH ("
            + " 'connector' = 'upsert-kafka', 'topic' = 'flink-totals',"
            + " 'properties.bootstrap.servers' = '" + given[0] + "',"
            + " 'key.format' = 'json', 'value.format' = 'json')");
        // Its source says in the log when it has its partitions, which is when the clock starts.
        flink.executeSql(
            "INSERT INTO totals"
            + " SELECT store_id, sku, SUBSTRING(occurred_at, 1, 13), SUM(amount)"
            + " FROM receipts CROSS JOIN UNNEST(`lines`) AS line (sku, amount)"
            + " GROUP BY store_id, sku, SUBSTRING(occurred_at, 1, 13)").await();
    }
}
