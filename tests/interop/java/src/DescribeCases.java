package interop;

import static interop.Run.same;
import static interop.Run.until;

import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ExecutionException;
import java.util.stream.Collectors;
import org.apache.kafka.clients.admin.ConsumerGroupDescription;
import org.apache.kafka.clients.admin.LogDirDescription;
import org.apache.kafka.clients.admin.MemberDescription;
import org.apache.kafka.common.TopicPartition;

/** What an operator asks about groups and disks. */
final class DescribeCases {
    private final Run run;
    private final Clients clients;

    DescribeCases(Run run, Clients clients) {
        this.run = run;
        this.clients = clients;
    }

    void all() {
        run.test("groups listed, described, deleted", this::groups);
        if (!run.client.equals("java-3")) {
            run.test("consumer group described", this::consumerGroup);
        }
        run.test("log directories described", this::logDirs);
    }

    /** Kafka 4.1 has another name for the list. */
    @SuppressWarnings({"deprecation", "removal"})
    private void groups() throws Exception {
        String topic = clients.create("listed");
        clients.send(topic, run.lines.subList(0, 10), 1);
        try (var member = clients.member(topic, Map.of("client.id", run.client + "-listed"))) {
            Clients.take(member, 10);
            member.commitSync();
            same(true, listed().contains(topic), "the group in the list");
            checkMember(topic, describe(topic));
        }
        until("the group is empty", () -> describe(topic).members().isEmpty());
        var committed = clients.admin.listConsumerGroupOffsets(topic).partitionsToOffsetAndMetadata().get();
        same(10L, committed.get(Clients.place(topic)).offset(), "committed");
        clients.admin.deleteConsumerGroups(List.of(topic)).all().get();
        same(false, clients.admin.listConsumerGroups().all().get().stream().anyMatch(group -> group.groupId().equals(topic)),
                "the group in the list");
    }

    /** A group of the new protocol. */
    private void consumerGroup() throws Exception {
        String topic = clients.create("described");
        clients.send(topic, run.lines.subList(0, 10), 1);
        Map<String, Object> settings = Map.of("group.protocol", "consumer", "client.id", run.client + "-listed");
        try (var member = clients.member(topic, settings)) {
            Clients.take(member, 10);
            ConsumerGroupDescription found = describe(topic);
            same("Consumer", found.type().toString(), "type");
            checkMember(topic, found);
        }
        until("the group is empty", () -> describe(topic).members().isEmpty());
    }

    /** Kafka 4.1 has another name for the list and 4.0 for the state, which the client before them lacks. */
    @SuppressWarnings({"deprecation", "removal"})
    private Set<String> listed() throws Exception {
        return clients.admin.listConsumerGroups().all().get().stream()
                .filter(group -> group.state().orElseThrow().toString().equals("Stable"))
                .map(group -> group.groupId())
                .collect(Collectors.toSet());
    }

    @SuppressWarnings({"deprecation", "removal"})
    private void checkMember(String topic, ConsumerGroupDescription found) {
        same("Stable", found.state().toString(), "state");
        same(1, found.members().size(), "members");
        MemberDescription member = found.members().iterator().next();
        same(run.client + "-listed", member.clientId(), "client id");
        same(Set.of(Clients.place(topic)), member.assignment().topicPartitions(), "assignment");
    }

    private ConsumerGroupDescription describe(String group) {
        try {
            return clients.admin.describeConsumerGroups(List.of(group)).all().get().get(group);
        } catch (InterruptedException | ExecutionException error) {
            throw new Run.Failed(error.toString());
        }
    }

    private void logDirs() throws Exception {
        String topic = clients.create("sizes", 2, Map.of());
        clients.send(topic, run.lines, 2);
        int node = clients.admin.describeCluster().nodes().get().iterator().next().id();
        long bytes = 0;
        for (LogDirDescription dir : clients.admin.describeLogDirs(List.of(node)).allDescriptions().get().get(node).values()) {
            same(true, dir.error() == null, "no error of the directory");
            for (int partition = 0; partition < 2; partition++) {
                bytes += dir.replicaInfos().get(new TopicPartition(topic, partition)).size();
            }
        }
        long least = run.lines.stream().mapToLong(String::length).sum();
        same(true, least < bytes && bytes < 2 * least, bytes + " bytes on disk for lines of " + least);
    }
}
