package interop;

import java.util.Map;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.OffsetSpec;
import org.apache.kafka.clients.consumer.Consumer;
import org.apache.kafka.clients.consumer.ConsumerRebalanceListener;
import org.apache.kafka.clients.consumer.SubscriptionPattern;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.config.ConfigResource;

/** What only the client since Kafka 4 has. */
final class Versioned {
    private Versioned() {}

    static void subscribe(Consumer<?, ?> consumer, String expression, ConsumerRebalanceListener listener) {
        consumer.subscribe(new SubscriptionPattern(expression), listener);
    }

    /** Replaces all settings of a topic; tells whether this client can. */
    static boolean replaceSettings(Admin admin, ConfigResource topic, Map<String, String> settings) {
        return false; // Kafka 4 took the call away
    }

    /** What has settings of its own: the broker at least. */
    static boolean hasConfigResources(Admin admin) throws Exception {
        return admin.listConfigResources().all().get().stream().anyMatch(it -> it.type() == ConfigResource.Type.BROKER);
    }

    /** Asks for the offset of what is to be moved there next; there is no other tier. */
    static boolean hasNoTiers(Clients clients) throws Exception {
        TopicPartition place = Clients.place(clients.create("tiers"));
        var found = clients.admin.listOffsets(Map.of(place, OffsetSpec.earliestPendingUpload())).partitionResult(place).get();
        return found.offset() == -1;
    }
}
