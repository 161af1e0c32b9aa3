import java.nio.ByteBuffer;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Properties;
import java.util.StringTokenizer;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.common.serialization.Serializer;
import org.apache.kafka.common.utils.Bytes;
import org.apache.kafka.streams.KafkaStreams;
import org.apache.kafka.streams.StreamsBuilder;
import org.apache.kafka.streams.StreamsConfig;
import org.apache.kafka.streams.kstream.Consumed;
import org.apache.kafka.streams.kstream.Grouped;
import org.apache.kafka.streams.kstream.KGroupedStream;
import org.apache.kafka.streams.kstream.KStream;
import org.apache.kafka.streams.kstream.KTable;
import org.apache.kafka.streams.kstream.Materialized;
import org.apache.kafka.streams.kstream.Produced;
import org.apache.kafka.streams.kstream.SessionWindows;
import org.apache.kafka.streams.kstream.TimeWindows;
import org.apache.kafka.streams.kstream.Windowed;
import org.apache.kafka.streams.state.SessionStore;
import org.apache.kafka.streams.state.WindowStore;

/**
 * The programs of ours/programs.rs in the DSL of Kafka Streams, with the same names, so that topics and group are called
 * alike.
 *
 * Arguments: PROGRAM HOST:PORT STATE-FOLDER [SETTING=VALUE ...].
 */
final class Programs {
    private static final String INPUT = "in";
    private static final String TABLE = "table";
    private static final String OUTPUT = "out";
    private static final Duration WINDOW = Duration.ofSeconds(1);
    private static final Duration GAP = Duration.ofMillis(500);
    /** Longer than windows can change, for the cache writes into the store late; a day by itself, which is all of the run. */
    private static final Duration RETENTION = Duration.ofSeconds(10);

    private Programs() {
    }

    public static void main(String[] arguments) {
        KafkaStreams streams = new KafkaStreams(program(arguments[0]).build(), settings(arguments));
        Runtime.getRuntime().addShutdownHook(new Thread(streams::close));
        streams.start();
    }

    private static StreamsBuilder program(String name) {
        StreamsBuilder builder = new StreamsBuilder();
        switch (name) {
            case "word-count" -> countWords(builder);
            case "map" -> write(keyed(builder).mapValues(Programs::withoutFirst));
            case "windows" -> countByWindow(builder);
            case "sessions" -> countBySession(builder);
            case "lookup" -> {
                KTable<byte[], byte[]> table =
                        builder.table(TABLE, Consumed.with(Serdes.ByteArray(), Serdes.ByteArray()));
                write(keyed(builder).join(table, (value, found) -> joined(found, value)));
            }
            default -> throw new IllegalArgumentException("no program " + name);
        }
        return builder;
    }

    private static void countWords(StreamsBuilder builder) {
        builder.stream(INPUT, Consumed.with(Serdes.Void(), Serdes.String()))
                .flatMapValues(Programs::words)
                .groupBy((none, word) -> word, Grouped.with("counts", Serdes.String(), Serdes.String()))
                .count(Materialized.as("counts"))
                .toStream()
                .to(OUTPUT, Produced.with(Serdes.String(), Serdes.Long()));
    }

    private static void countByWindow(StreamsBuilder builder) {
        write(grouped(builder)
                .windowedBy(TimeWindows.ofSizeWithNoGrace(WINDOW))
                .count(Materialized.<byte[], Long, WindowStore<Bytes, byte[]>>as("counts").withRetention(RETENTION)));
    }

    private static void countBySession(StreamsBuilder builder) {
        write(grouped(builder)
                .windowedBy(SessionWindows.ofInactivityGapWithNoGrace(GAP))
                .count(Materialized.<byte[], Long, SessionStore<Bytes, byte[]>>as("counts").withRetention(RETENTION)));
    }

    private static KStream<byte[], byte[]> keyed(StreamsBuilder builder) {
        return builder.stream(INPUT, Consumed.with(Serdes.ByteArray(), Serdes.ByteArray()));
    }

    private static KGroupedStream<byte[], byte[]> grouped(StreamsBuilder builder) {
        return keyed(builder).groupByKey(Grouped.with(Serdes.ByteArray(), Serdes.ByteArray()));
    }

    private static void write(KStream<byte[], byte[]> results) {
        results.to(OUTPUT, Produced.with(Serdes.ByteArray(), Serdes.ByteArray()));
    }

    private static void write(KTable<Windowed<byte[]>, Long> counts) {
        Serializer<Windowed<byte[]>> keys = (topic, windowed) -> bytes(windowed);
        counts.toStream().to(OUTPUT, Produced.with(Serdes.serdeFrom(keys, (topic, bytes) -> null), Serdes.Long()));
    }

    /** As ours writes them: key, start and end. */
    private static byte[] bytes(Windowed<byte[]> windowed) {
        ByteBuffer bytes = ByteBuffer.allocate(windowed.key().length + 2 * Long.BYTES).put(windowed.key());
        return bytes.putLong(windowed.window().start()).putLong(windowed.window().end()).array();
    }

    /** Split at white space; much cheaper than a regular expression. */
    private static List<String> words(String line) {
        List<String> words = new ArrayList<>();
        StringTokenizer tokens = new StringTokenizer(line);
        while (tokens.hasMoreTokens()) {
            words.add(tokens.nextToken());
        }
        return words;
    }

    private static byte[] withoutFirst(byte[] value) {
        return Arrays.copyOfRange(value, 1, value.length);
    }

    private static byte[] joined(byte[] found, byte[] value) {
        return ByteBuffer.allocate(found.length + value.length).put(found).put(value).array();
    }

    private static Properties settings(String[] arguments) {
        Properties settings = new Properties();
        settings.put(StreamsConfig.APPLICATION_ID_CONFIG, arguments[0]);
        settings.put(StreamsConfig.BOOTSTRAP_SERVERS_CONFIG, arguments[1]);
        settings.put(StreamsConfig.STATE_DIR_CONFIG, arguments[2]);
        for (int at = 3; at < arguments.length; at++) {
            String[] setting = arguments[at].split("=", 2);
            settings.put(setting[0], setting[1]);
        }
        return settings;
    }
}
