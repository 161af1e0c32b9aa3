package interop;

import java.util.List;
import java.util.Map;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.Config;
import org.apache.kafka.clients.admin.ConfigEntry;
import org.apache.kafka.clients.admin.OffsetSpec;
import org.apache.kafka.clients.consumer.Consumer;
import org.apache.kafka.clients.consumer.ConsumerRebalanceListener;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.config.ConfigResource;

/** What only the client before Kafka 4 has. */
final class Versioned {
    private Versioned() {}

    static void subscribe(Consumer<?, ?> consumer, String expression, ConsumerRebalanceListener listener) {
        throw new UnsupportedOperationException("expressions that the broker evaluates came with Kafka 4");
    }

    /** Replaces all settings of a topic; tells whether this client can. */
    @SuppressWarnings("deprecation")
    static boolean replaceSettings(Admin admin, ConfigResource topic, Map<String, String> settings) throws Exception {
        List<ConfigEntry> entries = settings.entrySet().stream()
                .map(pair -> new ConfigEntry(pair.getKey(), pair.getValue()))
                .toList();
        admin.alterConfigs(Map.of(topic, new Config(entries))).all().get();
        return true;
    }

    /** What has settings of its own: this client asks for those of metrics alone. */
    static boolean hasConfigResources(Admin admin) throws Exception {
        return admin.listClientMetricsResources().all().get().isEmpty();
    }

    /** Asks for the offset of what was moved there last; there is no other tier. */
    static boolean hasNoTiers(Clients clients) throws Exception {
        TopicPartition place = Clients.place(clients.create("tiers"));
        var found = clients.admin.listOffsets(Map.of(place, OffsetSpec.latestTiered())).partitionResult(place).get();
        return found.offset() == -1;
    }
}
