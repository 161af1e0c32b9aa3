package interop;

import static interop.Run.same;
import static interop.Run.until;

import java.time.Duration;
import java.util.ArrayList;
import java.util.Collections;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.stream.Collectors;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;

/** Consumer groups: sharing, leaving, committing, coming back. */
final class GroupCases {
    private static final int PARTITIONS = 4;

    private final Run run;
    private final Clients clients;

    GroupCases(Run run, Clients clients) {
        this.run = run;
        this.clients = clients;
    }

    void all() {
        run.test("group of two, one leaves", () -> groupOfTwo("group", Map.of()));
        run.test("group of two with static members", () -> groupOfTwo("static", Map.of("group.instance.id", "member")));
        run.test("seek", this::seek);
        run.test("restart from committed", this::restartFromCommitted);
        if (!run.client.equals("java-3")) {
            run.test("commit by topic id", this::commitByTopicId);
        }
    }

    private void groupOfTwo(String name, Map<String, Object> settings) throws Exception {
        String topic = clients.create(name, PARTITIONS, Map.of());
        List<Member> members = List.of(new Member(topic, settings, 0), new Member(topic, settings, 1));
        until("both members have partitions", () -> members.stream().allMatch(Member::shares));
        clients.send(topic, run.lines.subList(0, 5000), PARTITIONS);
        until("half of the lines", () -> places(members).size() == 5000);
        members.get(0).leaveGroup();
        clients.send(topic, run.lines.subList(5000, run.lines.size()), PARTITIONS);
        until("all lines", () -> places(members).size() == run.lines.size());
        members.get(1).leaveGroup();
        check(members);
    }

    private static Set<String> places(List<Member> members) {
        Set<String> places = new HashSet<>();
        members.forEach(member -> member.rows().forEach(row -> places.add(row.partition() + " " + row.offset())));
        return places;
    }

    /** All lines came, each partition's in order in each member, and both members took part. */
    private void check(List<Member> members) {
        Map<String, String> lines = new HashMap<>();
        for (Member member : members) {
            same(null, member.error, "error of a member");
            same(true, !member.rows().isEmpty(), "each member consumed something");
            checkOrder(member.rows());
            member.rows().forEach(row -> lines.put(row.partition() + " " + row.offset(), row.value()));
        }
        same(sorted(run.lines), sorted(new ArrayList<>(lines.values())), "lines");
    }

    private static void checkOrder(List<ConsumerRecord<String, String>> rows) {
        Map<Integer, Long> last = new HashMap<>();
        for (ConsumerRecord<String, String> row : rows) {
            Long before = last.put(row.partition(), row.offset());
            same(true, before == null || before < row.offset(), "offset " + row.offset() + " after " + before);
        }
    }

    private static List<String> sorted(List<String> lines) {
        return lines.stream().sorted().collect(Collectors.toList());
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

    /** A consumer of a group on its own thread. */
    private final class Member {
        volatile Exception error;
        private final List<ConsumerRecord<String, String>> rows = Collections.synchronizedList(new ArrayList<>());
        private final Thread thread;
        private volatile int owned;
        private volatile boolean leaving;

        Member(String topic, Map<String, Object> settings, int number) {
            Map<String, Object> own = new HashMap<>(settings);
            own.computeIfPresent("group.instance.id", (key, id) -> id + "-" + number);
            // A static member stays in the group until its session ends: six seconds, the least a broker allows.
            own.put("session.timeout.ms", 6000);
            own.put("client.id", run.client + "-member-" + number);
            thread = new Thread(() -> work(topic, own));
            thread.setDaemon(true);
            thread.start();
        }

        private void work(String topic, Map<String, Object> settings) {
            try (var consumer = clients.member(topic, settings)) {
                while (!leaving) {
                    consumer.poll(Duration.ofMillis(100)).forEach(rows::add);
                    owned = consumer.assignment().size();
                }
            } catch (Exception thrown) {
                error = thrown;
            }
        }

        List<ConsumerRecord<String, String>> rows() {
            synchronized (rows) {
                return new ArrayList<>(rows);
            }
        }

        boolean shares() {
            return owned > 0 && owned < PARTITIONS;
        }

        void leaveGroup() throws InterruptedException {
            leaving = true;
            thread.join(30_000);
        }
    }
}
