import java.nio.file.Path;
import java.util.Properties;
import org.apache.kafka.streams.KafkaStreams;
import org.apache.kafka.streams.StreamsConfig;
import org.apache.kafka.streams.Topology;

/**
 * An application of Kafka Streams that runs until it is told to stop.
 *
 * Arguments: words|join HOST:PORT APPLICATION-ID STATE-FOLDER [SETTING=VALUE ...]. Its topics begin with its id.
 */
final class Application {
    private Application() {
    }

    public static void main(String[] arguments) {
        KafkaStreams streams = new KafkaStreams(topology(arguments[0], arguments[2]), settings(arguments));
        streams.setStateListener((now, before) -> System.out.println("state " + now + " with " + tasks(streams)));
        Runtime.getRuntime().addShutdownHook(new Thread(streams::close));
        streams.start();
    }

    /** How many tasks it works on. */
    private static int tasks(KafkaStreams streams) {
        return streams.metadataForLocalThreads().stream().mapToInt(thread -> thread.activeTasks().size()).sum();
    }

    private static Topology topology(String kind, String id) {
        return switch (kind) {
            case "words" -> Words.topology(id + "-lines", id + "-results");
            case "join" -> Join.topology(id + "-left", id + "-right", id + "-results");
            default -> throw new IllegalArgumentException("there is no application " + kind);
        };
    }

    /** What was given goes before what is usual here. */
    private static Properties settings(String[] arguments) {
        Properties settings = new Properties();
        settings.put(StreamsConfig.BOOTSTRAP_SERVERS_CONFIG, arguments[1]);
        settings.put(StreamsConfig.APPLICATION_ID_CONFIG, arguments[2]);
        settings.put(StreamsConfig.STATE_DIR_CONFIG, Path.of(arguments[3]).toString());
        settings.put(StreamsConfig.PROCESSING_GUARANTEE_CONFIG, StreamsConfig.EXACTLY_ONCE_V2);
        settings.put(StreamsConfig.COMMIT_INTERVAL_MS_CONFIG, 100);
        // Every update is written: a count that is missing or there twice can be seen.
        settings.put(StreamsConfig.STATESTORE_CACHE_MAX_BYTES_CONFIG, 0);
        for (int at = 4; at < arguments.length; at++) {
            String[] setting = arguments[at].split("=", 2);
            settings.put(setting[0], setting[1]);
        }
        return settings;
    }
}
