package interop;

import java.time.Duration;
import java.util.Collection;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeSet;
import java.util.stream.Collectors;
import org.apache.kafka.clients.consumer.Consumer;
import org.apache.kafka.clients.consumer.ConsumerRebalanceListener;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.errors.WakeupException;
import org.apache.kafka.common.serialization.StringDeserializer;

/** A member of a group as ../../python/members.py wants it: tells its partitions and its records, leaves on SIGTERM. */
final class Member implements ConsumerRebalanceListener {
    private final Run run;
    private final TreeSet<Integer> owned = new TreeSet<>();
    private volatile boolean leaving;

    Member(Run run) {
        this.run = run;
    }

    void work(String topic) throws InterruptedException {
        var consumer = new KafkaConsumer<>(settings(), new StringDeserializer(), new StringDeserializer());
        leaveOnSignal(consumer, Thread.currentThread());
        subscribe(consumer, topic);
        try (consumer) {
            while (!leaving) {
                consumer.poll(Duration.ofMillis(200)).forEach(Member::tell);
            }
        } catch (WakeupException leave) {
            // What was told is committed by the close.
        }
    }

    /** The consumer ends on its own thread; the process ends when that has ended. */
    private void leaveOnSignal(Consumer<?, ?> consumer, Thread worker) {
        Runtime.getRuntime().addShutdownHook(new Thread(() -> {
            leaving = true;
            consumer.wakeup();
            try {
                worker.join(20_000);
            } catch (InterruptedException error) {
                Thread.currentThread().interrupt();
            }
        }));
    }

    private void subscribe(Consumer<?, ?> consumer, String topic) {
        if (run.optional("--regex").isEmpty()) {
            consumer.subscribe(List.of(topic), this);
        } else {
            Versioned.subscribe(consumer, topic, this);
        }
    }

    private Map<String, Object> settings() {
        Map<String, Object> settings = new HashMap<>(Map.of("bootstrap.servers", run.bootstrap, "group.id",
                run.option("--group"), "auto.offset.reset", "earliest", "client.id", run.client + "-member"));
        run.optional("--instance").ifPresent(id -> settings.put("group.instance.id", id));
        String kind = run.optional("--kind").orElse("eager");
        if (kind.equals("consumer")) {
            settings.put("group.protocol", "consumer");
        } else {
            settings.put("session.timeout.ms", run.option("--session"));
            settings.put("heartbeat.interval.ms", 500);
            String assignor = kind.equals("cooperative") ? "CooperativeStickyAssignor" : "RangeAssignor";
            settings.put("partition.assignment.strategy", "org.apache.kafka.clients.consumer." + assignor);
        }
        return settings;
    }

    private static void tell(ConsumerRecord<String, String> row) {
        System.out.println("row " + row.partition() + " " + row.offset() + " " + row.value());
    }

    @Override
    public void onPartitionsAssigned(Collection<TopicPartition> places) {
        places.forEach(place -> owned.add(place.partition()));
        tellOwned();
    }

    @Override
    public void onPartitionsRevoked(Collection<TopicPartition> places) {
        places.forEach(place -> owned.remove(place.partition()));
        tellOwned();
    }

    private void tellOwned() {
        System.out.println("own " + owned.stream().map(String::valueOf).collect(Collectors.joining(",")));
    }
}
