// The peer: Kafka Streams with the Processor API, as its developer guide teaches it: a key-value store, its changelog.
//
//   java -cp 'libs/*:classes' Totals HOST:PORT FOLDER rocksdb|memory
//
// Revenue per store, SKU and hour, in ten-thousandths. Receipts are keyed by store, so a total's key begins with the
// key of its receipt, and no repartition topic is needed: a developer who measures would leave it out as well.

import com.fasterxml.jackson.annotation.JsonIgnoreProperties;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.ObjectReader;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.math.BigDecimal;
import java.util.List;
import java.util.Properties;
import org.apache.kafka.clients.consumer.ConsumerConfig;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.streams.KafkaStreams;
import org.apache.kafka.streams.StreamsConfig;
import org.apache.kafka.streams.Topology;
import org.apache.kafka.streams.processor.api.Processor;
import org.apache.kafka.streams.processor.api.ProcessorContext;
import org.apache.kafka.streams.processor.api.Record;
import org.apache.kafka.streams.state.KeyValueBytesStoreSupplier;
import org.apache.kafka.streams.state.KeyValueStore;
import org.apache.kafka.streams.state.Stores;

public final class Totals {
    static final String STORE = "revenue";

    @JsonIgnoreProperties(ignoreUnknown = true)
    public static final class Line {
        public String sku;
        public String amount;
    }

    @JsonIgnoreProperties(ignoreUnknown = true)
    public static final class Receipt {
        public String store_id;
        public String occurred_at;
        public List<Line> lines;
    }

    static final class Sum implements Processor<byte[], byte[], Void, Void> {
        private static final ObjectReader READER = new ObjectMapper().readerFor(Receipt.class);
        private KeyValueStore<String, Long> revenue;

        @Override
        public void init(ProcessorContext<Void, Void> context) {
            revenue = context.getStateStore(STORE);
        }

        @Override
        public void process(Record<byte[], byte[]> record) {
            Receipt receipt;
            try {
                receipt = READER.readValue(record.value());
            } catch (IOException fault) {
                throw new UncheckedIOException(fault);
            }
            String hour = receipt.occurred_at.substring(0, 13);
            for (Line line : receipt.lines) {
                String key = receipt.store_id + "|" + line.sku + "|" + hour;
                long amount = new BigDecimal(line.amount).movePointRight(4).longValueExact();
                Long before = revenue.get(key);
                revenue.put(key, before == null ? amount : before + amount);
            }
        }
    }

    public static void main(String[] given) {
        Properties settings = new Properties();
        settings.put(StreamsConfig.APPLICATION_ID_CONFIG, "kafka-streams");
        settings.put(StreamsConfig.BOOTSTRAP_SERVERS_CONFIG, given[0]);
        settings.put(StreamsConfig.STATE_DIR_CONFIG, given[1]);
        settings.put(StreamsConfig.NUM_STREAM_THREADS_CONFIG, 1);
        // By default it commits every 30 s, and the clock would stop up to 30 s after the last line.
        settings.put(StreamsConfig.COMMIT_INTERVAL_MS_CONFIG, 1000);
        settings.put(ConsumerConfig.AUTO_OFFSET_RESET_CONFIG, "earliest");

        KeyValueBytesStoreSupplier kept = given[2].equals("memory")
            ? Stores.inMemoryKeyValueStore(STORE)
            : Stores.persistentKeyValueStore(STORE);
        Topology topology = new Topology();
        topology.addSource("receipts", Serdes.ByteArray().deserializer(), Serdes.ByteArray().deserializer(),
            "pos.receipts");
        topology.addProcessor("sum", Sum::new, "receipts");
        topology.addStateStore(Stores.keyValueStoreBuilder(kept, Serdes.String(), Serdes.Long()), "sum");

        KafkaStreams streams = new KafkaStreams(topology, settings);
        streams.setStateListener((now, before) -> {
            // It has its partitions, and its tasks are about to process their first record.
            if (now == KafkaStreams.State.RUNNING) {
                System.out.println("ready");
            }
        });
        Runtime.getRuntime().addShutdownHook(new Thread(streams::close));
        streams.start();
    }
}
