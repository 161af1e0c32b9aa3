package interop;

import static interop.Run.same;

import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import org.apache.kafka.clients.admin.OffsetSpec;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.TopicPartition;

/** What groups have committed; how they share is for the members to show, see Member. */
final class GroupCases {
    private final Run run;
    private final Clients clients;

    GroupCases(Run run, Clients clients) {
        this.run = run;
        this.clients = clients;
    }

    void all() {
        run.test("seek", this::seek);
        run.test("restart from committed", this::restartFromCommitted);
        run.test("offsets set by time", this::setByTime);
        run.test("offsets deleted", this::offsetsDeleted);
        if (!run.client.equals("java-3")) {
            run.test("commit by topic id", this::commitByTopicId);
        }
    }

    private void seek() throws Exception {
        String topic = clients.create("seek");
        clients.send(topic, run.lines.subList(0, 100), 1);
        try (var reader = clients.reader(topic, "reader")) {
            same(run.lines.subList(0, 100), Clients.values(Clients.take(reader, 100)), "lines from the start");
            reader.seek(Clients.place(topic), 40);
            same(run.lines.subList(40, 100), Clients.values(Clients.take(reader, 60)), "lines after the seek");
            same(100L, reader.position(Clients.place(topic)), "position");
        }
    }

    private void restartFromCommitted() throws Exception {
        String topic = clients.create("commit");
        clients.send(topic, run.lines.subList(0, 100), 1);
        try (var first = clients.member(topic, manual("first"))) {
            List<ConsumerRecord<String, String>> rows = Clients.take(first, 30);
            same(run.lines.subList(0, 30), Clients.values(rows).subList(0, 30), "lines before the restart");
            // The leader epoch makes the next consumer ask whether the log was truncated below it.
            var offset = new OffsetAndMetadata(30, rows.get(29).leaderEpoch(), "half way");
            first.commitSync(Map.of(Clients.place(topic), offset));
        }
        try (var second = clients.member(topic, manual("second"))) {
            var committed = second.committed(Set.of(Clients.place(topic))).get(Clients.place(topic));
            same("30 half way", committed.offset() + " " + committed.metadata(), "committed");
            same(run.lines.subList(30, 100), Clients.values(Clients.take(second, 70)), "lines after the restart");
        }
    }

    private Map<String, Object> manual(String name) {
        return Map.of("enable.auto.commit", false, "client.id", run.client + "-" + name);
    }

    /** The consumer of the new protocol commits and asks by topic id, even where it assigns its partitions itself. */
    private void commitByTopicId() throws Exception {
        String topic = clients.create("commit-by-id");
        clients.send(topic, run.lines.subList(0, 10), 1);
        try (var first = clients.assigned(topic, "by-id-first")) {
            same(0L, first.position(Clients.place(topic)), "position before any commit");
            first.commitSync(Map.of(Clients.place(topic), new OffsetAndMetadata(7, Optional.of(0), "by id")));
        }
        try (var second = clients.assigned(topic, "by-id-second")) {
            var committed = second.committed(Set.of(Clients.place(topic))).get(Clients.place(topic));
            same("7 by id", committed.offset() + " " + committed.metadata(), "committed");
            same(run.lines.subList(7, 10), Clients.values(Clients.take(second, 3)), "lines after the restart");
        }
    }

    /** Moves a group to the first record at or after a time. */
    private void setByTime() throws Exception {
        // The records are old: retention must not take them away.
        String topic = clients.create("by-time", 1, Map.of("retention.ms", "-1"));
        try (var producer = clients.producer(Map.of())) {
            for (long stamp : List.of(1000L, 2000L, 3000L)) {
                producer.send(new ProducerRecord<>(topic, 0, stamp, null, String.valueOf(stamp))).get();
            }
        }
        var place = Clients.place(topic);
        var found = clients.admin.listOffsets(Map.of(place, OffsetSpec.forTimestamp(1500))).partitionResult(place).get();
        var moved = Map.of(place, new OffsetAndMetadata(found.offset()));
        clients.admin.alterConsumerGroupOffsets(topic, moved).all().get();
        try (var member = clients.member(topic, manual("by-time"))) {
            same(List.of("2000", "3000"), Clients.values(Clients.take(member, 2)), "records from the time on");
        }
    }

    private void offsetsDeleted() throws Exception {
        String topic = clients.create("forgotten");
        var place = Clients.place(topic);
        clients.admin.alterConsumerGroupOffsets(topic, Map.of(place, new OffsetAndMetadata(7))).all().get();
        same(7L, committed(topic).get(place).offset(), "committed");
        clients.admin.deleteConsumerGroupOffsets(topic, Set.of(place)).all().get();
        same(false, committed(topic).containsKey(place), "the offset in the answer");
    }

    private Map<TopicPartition, OffsetAndMetadata> committed(String group) throws Exception {
        return clients.admin.listConsumerGroupOffsets(group).partitionsToOffsetAndMetadata().get();
    }
}
