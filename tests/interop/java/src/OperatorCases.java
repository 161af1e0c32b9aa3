package interop;

import static interop.Run.same;
import static interop.Run.until;

import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.ExecutionException;
import org.apache.kafka.clients.admin.AbortTransactionSpec;
import org.apache.kafka.clients.admin.NewPartitionReassignment;
import org.apache.kafka.clients.admin.ProducerState;
import org.apache.kafka.clients.admin.QuorumInfo;
import org.apache.kafka.clients.admin.RecordsToDelete;
import org.apache.kafka.clients.admin.TransactionListing;
import org.apache.kafka.clients.admin.TransactionState;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.ElectionType;
import org.apache.kafka.common.KafkaFuture;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.acl.AccessControlEntry;
import org.apache.kafka.common.acl.AclBinding;
import org.apache.kafka.common.acl.AclBindingFilter;
import org.apache.kafka.common.acl.AclOperation;
import org.apache.kafka.common.acl.AclPermissionType;
import org.apache.kafka.common.errors.ElectionNotNeededException;
import org.apache.kafka.common.errors.InvalidReplicaAssignmentException;
import org.apache.kafka.common.errors.NoReassignmentInProgressException;
import org.apache.kafka.common.errors.SecurityDisabledException;
import org.apache.kafka.common.quota.ClientQuotaAlteration;
import org.apache.kafka.common.quota.ClientQuotaEntity;
import org.apache.kafka.common.quota.ClientQuotaFilter;
import org.apache.kafka.common.resource.PatternType;
import org.apache.kafka.common.resource.ResourcePattern;
import org.apache.kafka.common.resource.ResourceType;

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
        run.test("partitions stay where they are", this::reassignments);
        run.test("rules of access refused", this::rules);
        run.test("quotas and passwords described", this::quotas);
        run.test("quorum of metadata described", this::quorum);
        run.test("offsets of tiers listed", () -> same(true, Versioned.hasNoTiers(clients), "offsets"));
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

    private void reassignments() throws Exception {
        var place = Clients.place(clients.create("reassigned"));
        int here = clients.admin.describeCluster().controller().get().id();
        clients.admin.alterPartitionReassignments(Map.of(place, Optional.of(new NewPartitionReassignment(List.of(here))))).all().get();
        var elsewhere = Map.of(place, Optional.of(new NewPartitionReassignment(List.of(here + 1))));
        refused(InvalidReplicaAssignmentException.class, clients.admin.alterPartitionReassignments(elsewhere).all());
        refused(NoReassignmentInProgressException.class, clients.admin.alterPartitionReassignments(Map.of(place, Optional.empty())).all());
        same(Map.of(), clients.admin.listPartitionReassignments(Set.of(place)).reassignments().get(), "on their way");
    }

    private void rules() {
        var rule = new AclBinding(new ResourcePattern(ResourceType.TOPIC, "orders", PatternType.LITERAL),
                new AccessControlEntry("User:alice", "*", AclOperation.READ, AclPermissionType.ALLOW));
        refused(SecurityDisabledException.class, clients.admin.describeAcls(AclBindingFilter.ANY).values());
        refused(SecurityDisabledException.class, clients.admin.createAcls(List.of(rule)).all());
        refused(SecurityDisabledException.class, clients.admin.deleteAcls(List.of(rule.toFilter())).all());
    }

    private void quotas() throws Exception {
        var nobody = new ClientQuotaEntity(Map.of(ClientQuotaEntity.USER, "nobody"));
        var removal = new ClientQuotaAlteration(nobody, List.of(new ClientQuotaAlteration.Op("producer_byte_rate", null)));
        clients.admin.alterClientQuotas(List.of(removal)).all().get();
        same(Map.of(), clients.admin.describeClientQuotas(ClientQuotaFilter.all()).entities().get(), "quotas");
        same(List.of(), clients.admin.describeUserScramCredentials().users().get(), "users");
    }

    private void quorum() throws Exception {
        var quorum = clients.admin.describeMetadataQuorum().quorumInfo().get();
        same(List.of(quorum.leaderId()), quorum.voters().stream().map(QuorumInfo.ReplicaState::replicaId).toList(), "voters");
        same(true, quorum.leaderEpoch() > 0 && quorum.highWatermark() > 0, "epoch and offset");
    }

    private static void refused(Class<? extends Exception> expected, KafkaFuture<?> answer) {
        try {
            answer.get();
        } catch (InterruptedException | ExecutionException error) {
            same(expected, error.getCause().getClass(), "refusal");
            return;
        }
        throw new Run.Failed("done, and not refused with " + expected.getSimpleName());
    }

    private ProducerState only(TopicPartition place) {
        try {
            var producers = clients.admin.describeProducers(List.of(place)).partitionResult(place).get().activeProducers();
            same(1, producers.size(), "producers");
            return producers.get(0);
        } catch (InterruptedException | ExecutionException error) {
            throw new Run.Failed(error.toString());
        }
    }
}
