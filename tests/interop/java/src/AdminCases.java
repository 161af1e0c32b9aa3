package interop;

import static interop.Run.same;
import static interop.Run.until;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ExecutionException;
import java.util.stream.Collectors;
import org.apache.kafka.clients.admin.AlterConfigOp;
import org.apache.kafka.clients.admin.ConfigEntry;
import org.apache.kafka.clients.admin.NewPartitions;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.admin.OffsetSpec;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.Node;
import org.apache.kafka.common.TopicCollection;
import org.apache.kafka.common.Uuid;
import org.apache.kafka.common.config.ConfigResource;
import org.apache.kafka.common.errors.InvalidPartitionsException;
import org.apache.kafka.common.errors.InvalidReplicationFactorException;
import org.apache.kafka.common.errors.InvalidTopicException;
import org.apache.kafka.common.errors.TopicExistsException;

/** Topics and the cluster, as an operator asks for them. */
final class AdminCases {
    private final Run run;
    private final Clients clients;

    AdminCases(Run run, Clients clients) {
        this.run = run;
        this.clients = clients;
    }

    void all() {
        run.test("topics created, described, deleted", this::topics);
        run.test("partitions added", this::partitions);
        run.test("settings altered", this::settings);
        run.test("a topic deleted by its id", this::topicById);
        run.test("impossible topics refused", this::refusedTopics);
        run.test("configuration described", this::configuration);
        run.test("cluster described", this::cluster);
        run.test("offsets by time", this::offsetsByTime);
    }

    private void topics() throws Exception {
        String topic = clients.create("admin", 3, Map.of());
        var found = clients.describe(topic);
        same(3, found.partitions().size(), "partitions");
        same(false, found.topicId().equals(Uuid.ZERO_UUID), "a topic id of zero");
        clients.admin.deleteTopics(List.of(topic)).all().get();
        until("the topic is gone", () -> !names().contains(topic));
        clients.create("admin", 2, Map.of());
        var again = clients.describe(topic);
        same(false, again.topicId().equals(found.topicId()), "the same id for a new topic");
    }

    private void partitions() throws Exception {
        String topic = clients.create("partitions");
        clients.admin.createPartitions(Map.of(topic, NewPartitions.increaseTo(3))).all().get();
        until("three partitions", () -> partitionsOf(topic) == 3);
        refused(() -> clients.admin.createPartitions(Map.of(topic, NewPartitions.increaseTo(2))).all().get(),
                InvalidPartitionsException.class);
        try (var producer = clients.producer(Map.of())) {
            producer.send(new ProducerRecord<>(topic, 2, null, "value")).get();
        }
    }

    private int partitionsOf(String topic) {
        try {
            return clients.describe(topic).partitions().size();
        } catch (Exception error) {
            throw new Run.Failed(error.toString());
        }
    }

    private void settings() throws Exception {
        String topic = clients.create("settings", 1, Map.of("retention.ms", "3600000", "cleanup.policy", "compact"));
        var resource = new ConfigResource(ConfigResource.Type.TOPIC, topic);
        clients.admin.incrementalAlterConfigs(Map.of(resource, List.of(
                new AlterConfigOp(new ConfigEntry("segment.bytes", "1048576"), AlterConfigOp.OpType.SET),
                new AlterConfigOp(new ConfigEntry("retention.ms", ""), AlterConfigOp.OpType.DELETE),
                new AlterConfigOp(new ConfigEntry("cleanup.policy", "delete"), AlterConfigOp.OpType.APPEND)))).all().get();
        until("they are altered", () -> own(resource).equals(
                Map.of("segment.bytes", "1048576", "cleanup.policy", "compact,delete")));
        if (Versioned.replaceSettings(clients.admin, resource, Map.of("retention.ms", "7200000"))) {
            until("they are replaced", () -> own(resource).equals(Map.of("retention.ms", "7200000")));
        }
    }

    /** The settings that the topic itself has; of those of its durability a topic of ours always has its own. */
    private Map<String, String> own(ConfigResource topic) {
        try {
            return clients.admin.describeConfigs(List.of(topic)).all().get().get(topic).entries().stream()
                    .filter(entry -> entry.source() == ConfigEntry.ConfigSource.DYNAMIC_TOPIC_CONFIG)
                    .filter(entry -> !entry.name().startsWith("flush."))
                    .collect(Collectors.toMap(ConfigEntry::name, ConfigEntry::value));
        } catch (InterruptedException | ExecutionException error) {
            throw new Run.Failed(error.toString());
        }
    }

    private void topicById() throws Exception {
        String topic = clients.create("by-id");
        Uuid id = clients.describe(topic).topicId();
        var ids = TopicCollection.ofTopicIds(List.of(id));
        same(topic, clients.admin.describeTopics(ids).allTopicIds().get().get(id).name(), "name of the id");
        clients.admin.deleteTopics(ids).all().get();
        until("the topic is gone", () -> !names().contains(topic));
    }

    private Set<String> names() {
        try {
            return clients.admin.listTopics().names().get();
        } catch (InterruptedException | ExecutionException error) {
            throw new Run.Failed(error.toString());
        }
    }

    private void refusedTopics() throws Exception {
        String topic = clients.create("twice");
        refused(new NewTopic(topic, 1, (short) 1), TopicExistsException.class);
        refused(new NewTopic("no such name!", 1, (short) 1), InvalidTopicException.class);
        refused(new NewTopic(run.topic("three"), 1, (short) 3), InvalidReplicationFactorException.class);
    }

    private void refused(NewTopic topic, Class<? extends Exception> expected) throws Exception {
        refused(() -> clients.admin.createTopics(List.of(topic)).all().get(), expected);
    }

    private static void refused(Run.Body body, Class<? extends Exception> expected) throws Exception {
        try {
            body.run();
        } catch (ExecutionException error) {
            same(expected, error.getCause().getClass(), "error");
            return;
        }
        throw new Run.Failed("nothing was refused with " + expected.getSimpleName());
    }

    private void configuration() throws Exception {
        String topic = clients.create("configured", 1, Map.of("retention.ms", "3600000"));
        clients.describe(topic);
        var resource = new ConfigResource(ConfigResource.Type.TOPIC, topic);
        var found = clients.admin.describeConfigs(List.of(resource)).all().get().get(resource);
        same("3600000", found.get("retention.ms").value(), "retention.ms");
        same(false, found.get("retention.ms").isDefault(), "retention.ms is a default");
        same("delete", found.get("cleanup.policy").value(), "cleanup.policy");
        same(true, found.get("cleanup.policy").isDefault(), "cleanup.policy is a default");
    }

    private void cluster() throws Exception {
        var found = clients.admin.describeCluster();
        List<Node> nodes = new ArrayList<>(found.nodes().get());
        same(1, nodes.size(), "nodes");
        same(run.bootstrap, nodes.get(0).host() + ":" + nodes.get(0).port(), "the node's address");
        same(nodes.get(0), found.controller().get(), "controller");
        same(false, found.clusterId().get().isEmpty(), "an empty cluster id");
    }

    private void offsetsByTime() throws Exception {
        // The records are old: retention must not take them away.
        String topic = clients.create("offsets", 1, Map.of("retention.ms", "-1"));
        try (var producer = clients.producer(Map.of())) {
            for (long stamp : List.of(1000L, 2000L, 3000L)) {
                producer.send(new ProducerRecord<>(topic, 0, stamp, null, "value")).get();
            }
        }
        Map<OffsetSpec, Long> expected = new LinkedHashMap<>();
        expected.put(OffsetSpec.earliest(), 0L);
        expected.put(OffsetSpec.latest(), 3L);
        expected.put(OffsetSpec.maxTimestamp(), 2L);
        expected.put(OffsetSpec.forTimestamp(1500), 1L);
        expected.put(OffsetSpec.forTimestamp(3000), 2L);
        expected.put(OffsetSpec.forTimestamp(4000), -1L);
        for (var pair : expected.entrySet()) {
            var found = clients.admin.listOffsets(Map.of(Clients.place(topic), pair.getKey()));
            same(pair.getValue(), found.partitionResult(Clients.place(topic)).get().offset(), pair.getKey().toString());
        }
    }
}
