package interop;

import static interop.Run.same;

import java.util.List;
import java.util.Map;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.clients.producer.Producer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.KafkaException;

/** What is committed is read, what is not is never, and who was replaced writes nothing. */
final class TransactionCases {
    private final Run run;
    private final Clients clients;

    TransactionCases(Run run, Clients clients) {
        this.run = run;
        this.clients = clients;
    }

    void all() {
        run.test("transaction committed", this::committed);
        run.test("transaction aborted", this::aborted);
        run.test("transaction fenced", this::fenced);
        run.test("transaction timed out", this::timedOut);
        run.test("transaction with offsets", this::withOffsets);
    }

    private Producer<String, String> producer(String topic, Map<String, Object> settings) {
        var all = new java.util.HashMap<String, Object>(settings);
        all.put("transactional.id", topic);
        var producer = clients.producer(all);
        producer.initTransactions();
        return producer;
    }

    private void send(Producer<String, String> producer, String topic, String... values) {
        producer.beginTransaction();
        for (String value : values) {
            producer.send(new ProducerRecord<>(topic, 0, null, value));
        }
        producer.flush();
    }

    private void check(String topic, String... values) throws Exception {
        try (var reader = clients.committedReader(topic)) {
            same(List.of(values), Clients.values(Clients.take(reader, values.length)), "committed values");
        }
    }

    private void committed() throws Exception {
        String topic = clients.create("txn-committed");
        try (var producer = producer(topic, Map.of())) {
            send(producer, topic, "one", "two");
            producer.commitTransaction();
            send(producer, topic, "three");
            producer.commitTransaction();
        }
        check(topic, "one", "two", "three");
    }

    private void aborted() throws Exception {
        String topic = clients.create("txn-aborted");
        try (var producer = producer(topic, Map.of())) {
            send(producer, topic, "dropped");
            producer.abortTransaction();
            send(producer, topic, "kept");
            producer.commitTransaction();
        }
        check(topic, "kept");
    }

    private void fenced() throws Exception {
        String topic = clients.create("txn-fenced");
        try (var zombie = producer(topic, Map.of())) {
            send(zombie, topic, "lost");
            try (var producer = producer(topic, Map.of())) {
                refused("commit of a producer that was replaced", zombie::commitTransaction);
                send(producer, topic, "kept");
                producer.commitTransaction();
            }
        }
        check(topic, "kept");
    }

    private void timedOut() throws Exception {
        String topic = clients.create("txn-late");
        try (var late = producer(topic, Map.of("transaction.timeout.ms", 1000))) {
            send(late, topic, "late");
            clients.send(topic, List.of("after"), 1);
            check(topic, "after");
            refused("commit of a transaction that was aborted", late::commitTransaction);
        }
    }

    private void withOffsets() throws Exception {
        String topic = clients.create("txn-offsets");
        clients.send(topic, List.of("one", "two", "three"), 1);
        Map<String, Object> settings = Map.of("isolation.level", "read_committed", "enable.auto.commit", false);
        try (var producer = producer(topic, Map.of()); var member = clients.member(topic, settings)) {
            Clients.take(member, 3);
            for (long offset : new long[] {2, 3}) {
                producer.beginTransaction();
                var offsets = Map.of(Clients.place(topic), new OffsetAndMetadata(offset));
                producer.sendOffsetsToTransaction(offsets, member.groupMetadata());
                if (offset == 2) {
                    producer.commitTransaction();
                } else {
                    producer.abortTransaction();
                }
            }
        }
        var found = clients.admin.listConsumerGroupOffsets(topic).partitionsToOffsetAndMetadata().get();
        same(2L, found.get(Clients.place(topic)).offset(), "committed offset");
    }

    private static void refused(String what, Runnable attempt) {
        try {
            attempt.run();
        } catch (KafkaException expected) {
            return;
        }
        throw new Run.Failed(what + " was not refused");
    }
}
