package interop;

import static interop.Run.same;
import static interop.Run.until;

import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.apache.kafka.clients.admin.AbortTransactionSpec;
import org.apache.kafka.clients.admin.ProducerState;
import org.apache.kafka.clients.admin.RecordsToDelete;
import org.apache.kafka.clients.admin.TransactionListing;
import org.apache.kafka.clients.admin.TransactionState;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.ElectionType;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.errors.ElectionNotNeededException;

/** What an operator does when something is in the way. */
final class OperatorCases {
    private final Run run;
    private final Clients clients;

    OperatorCases(Run run, Clients clients) {
        this.run = run;
        this.clients = clients;
    }

    void all() {
        run.test("records deleted", this::deletedRecords);
        run.test("leaders elected", this::leaders);
        run.test("resources with settings listed", () -> same(true, Versioned.hasConfigResources(clients.admin), "resources"));
        run.test("transaction found and ended", this::transaction);
    }

    private void deletedRecords() throws Exception {
        String topic = clients.create("deleted-records");
        clients.send(topic, List.of("one", "two", "three"), 1);
        var place = Clients.place(topic);
        var deleted = clients.admin.deleteRecords(Map.of(place, RecordsToDelete.beforeOffset(2)));
        same(2L, deleted.lowWatermarks().get(place).get().lowWatermark(), "low watermark");
        try (var reader = clients.reader(topic, "after")) {
            same(List.of("three"), Clients.values(Clients.take(reader, 1)), "what is left");
        }
    }

    private void leaders() throws Exception {
        var place = Clients.place(clients.create("leaders"));
        var elected = clients.admin.electLeaders(ElectionType.PREFERRED, Set.of(place)).partitions().get().get(place);
        same(true, elected.orElseThrow() instanceof ElectionNotNeededException, "needs no election");
    }

    private void transaction() throws Exception {
        String topic = clients.create("found");
        var place = Clients.place(topic);
        var producer = clients.producer(Map.of("transactional.id", topic));
        producer.initTransactions();
        producer.beginTransaction();
        producer.send(new ProducerRecord<>(topic, 0, null, "hanging")).get();
        same(true, clients.admin.listTransactions().all().get().stream()
                .map(TransactionListing::transactionalId).anyMatch(topic::equals), "listed");
        var described = clients.admin.describeTransactions(List.of(topic)).description(topic).get();
        same(TransactionState.ONGOING, described.state(), "state");
        same(Set.of(place), described.topicPartitions(), "partitions");
        ProducerState found = only(place);
        same(0L, found.currentTransactionStartOffset().orElseThrow(), "start offset");
        clients.admin.abortTransaction(new AbortTransactionSpec(place, found.producerId(),
                (short) found.producerEpoch(), Math.max(found.coordinatorEpoch().orElse(0), 0))).all().get();
        until("it is ended", () -> only(place).currentTransactionStartOffset().isEmpty());
        producer.close(Duration.ZERO);
    }

    private ProducerState only(TopicPartition place) {
        try {
            var producers = clients.admin.describeProducers(List.of(place)).partitionResult(place).get().activeProducers();
            same(1, producers.size(), "producers");
            return producers.get(0);
        } catch (InterruptedException | java.util.concurrent.ExecutionException error) {
            throw new Run.Failed(error.toString());
        }
    }
}
