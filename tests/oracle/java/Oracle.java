import java.io.BufferedReader;
import java.io.IOException;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.common.serialization.StringDeserializer;
import org.apache.kafka.common.serialization.StringSerializer;
import org.apache.kafka.streams.StreamsConfig;
import org.apache.kafka.streams.TestInputTopic;
import org.apache.kafka.streams.TopologyTestDriver;
import org.apache.kafka.streams.state.BuiltInDslStoreSuppliers;
import org.apache.kafka.streams.test.TestRecord;

/** Runs the scenes of a file with Kafka Streams, and prints what comes out: Oracle FILE. The format is told in scenes.py. */
final class Oracle {
    private static final String NULL = "\\N";

    private Oracle() {
    }

    public static void main(String[] arguments) throws IOException {
        PrintStream out = new PrintStream(System.out, false, StandardCharsets.UTF_8);
        try (BufferedReader lines = Files.newBufferedReader(Path.of(arguments[0]))) {
            List<String> scene = new ArrayList<>();
            for (String line = lines.readLine(); line != null; line = lines.readLine()) {
                if (line.startsWith("scene ") && !scene.isEmpty()) {
                    play(scene, out);
                    scene.clear();
                }
                scene.add(line);
            }
            play(scene, out);
        }
        out.flush();
    }

    private static void play(List<String> scene, PrintStream out) {
        String[] head = scene.get(0).split(" ");
        out.println("scene " + head[1]);
        try (TopologyTestDriver driver = new TopologyTestDriver(Cases.topology(head[2], parameters(head)), settings(head[1]))) {
            Map<String, TestInputTopic<String, String>> topics = new HashMap<>();
            for (String line : scene.subList(1, scene.size())) {
                String[] record = line.split("\t", -1);
                topics.computeIfAbsent(record[0], topic -> driver.createInputTopic(topic, new StringSerializer(), new StringSerializer()))
                        .pipeInput(new TestRecord<>(read(record[2]), read(record[3]), null, Long.valueOf(record[1])));
            }
            driver.createOutputTopic("out", new StringDeserializer(), new StringDeserializer()).readRecordsToList()
                    .forEach(result -> out.println(show(result.key()) + "\t" + show(result.value()) + "\t" + result.timestamp()));
        }
    }

    private static Map<String, Long> parameters(String[] head) {
        Map<String, Long> parameters = new HashMap<>();
        for (int at = 3; at < head.length; at++) {
            String[] parameter = head[at].split("=", 2);
            parameters.put(parameter[0], Long.valueOf(parameter[1]));
        }
        return parameters;
    }

    private static Properties settings(String scene) {
        Properties settings = new Properties();
        settings.put(StreamsConfig.APPLICATION_ID_CONFIG, scene);
        settings.put(StreamsConfig.BOOTSTRAP_SERVERS_CONFIG, "nowhere:1");
        settings.put(StreamsConfig.DEFAULT_KEY_SERDE_CLASS_CONFIG, Serdes.StringSerde.class);
        settings.put(StreamsConfig.DEFAULT_VALUE_SERDE_CLASS_CONFIG, Serdes.StringSerde.class);
        settings.put(StreamsConfig.STATE_DIR_CONFIG, System.getProperty("oracle.state"));
        settings.put(StreamsConfig.STATESTORE_CACHE_MAX_BYTES_CONFIG, 0);
        settings.put(StreamsConfig.DSL_STORE_SUPPLIERS_CLASS_CONFIG, BuiltInDslStoreSuppliers.InMemoryDslStoreSuppliers.class);
        // Results of closed windows come at once, not once a second of the clock's time.
        settings.put("__emit.interval.ms.kstreams.outer.join.spurious.results.fix__", 0L);
        settings.put("__emit.interval.ms.kstreams.windowed.aggregation__", 0L);
        return settings;
    }

    private static String read(String field) {
        return field.equals(NULL) ? null : field;
    }

    private static String show(String field) {
        return field == null ? NULL : field;
    }
}
