package interop;

import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Future;
import java.util.stream.Collectors;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.admin.TopicDescription;
import org.apache.kafka.clients.consumer.Consumer;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.Producer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.clients.producer.RecordMetadata;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import org.apache.kafka.common.serialization.ByteArraySerializer;
import org.apache.kafka.common.serialization.StringDeserializer;
import org.apache.kafka.common.serialization.StringSerializer;

/** Producers, consumers and topics as the cases want them. */
final class Clients {
    final Run run;
    final Admin admin;

    Clients(Run run) {
        this.run = run;
        this.admin = Admin.create(Map.of("bootstrap.servers", run.bootstrap, "client.id", run.client + "-admin"));
    }

    String create(String name, int partitions, Map<String, String> config) throws Exception {
        String topic = run.topic(name);
        admin.createTopics(List.of(new NewTopic(topic, partitions, (short) 1).configs(config))).all().get();
        return topic;
    }

    String create(String name) throws Exception {
        return create(name, 1, Map.of());
    }

    Producer<String, String> producer(Map<String, Object> settings) {
        return new KafkaProducer<>(with(settings), new StringSerializer(), new StringSerializer());
    }

    Producer<byte[], byte[]> bytesProducer(Map<String, Object> settings) {
        return new KafkaProducer<>(with(settings), new ByteArraySerializer(), new ByteArraySerializer());
    }

    private Map<String, Object> with(Map<String, Object> settings) {
        Map<String, Object> all = new HashMap<>(settings);
        all.put("bootstrap.servers", run.bootstrap);
        return all;
    }

    /** A consumer of partition 0 from its start; its client id ends with the name. */
    Consumer<String, String> reader(String topic, String name) {
        Map<String, Object> settings = Map.of("enable.auto.commit", false, "client.id", run.client + "-" + name);
        var consumer = new KafkaConsumer<>(with(settings), new StringDeserializer(), new StringDeserializer());
        consumer.assign(List.of(place(topic)));
        consumer.seekToBeginning(List.of(place(topic)));
        return consumer;
    }

    /** A consumer of partition 0 from its start that reads what is committed alone. */
    Consumer<String, String> committedReader(String topic) {
        Map<String, Object> settings = Map.of("enable.auto.commit", false, "isolation.level", "read_committed");
        var consumer = new KafkaConsumer<>(with(settings), new StringDeserializer(), new StringDeserializer());
        consumer.assign(List.of(place(topic)));
        consumer.seekToBeginning(List.of(place(topic)));
        return consumer;
    }

    Consumer<byte[], byte[]> bytesReader(String topic) {
        var consumer = new KafkaConsumer<>(
                with(Map.of("enable.auto.commit", false)), new ByteArrayDeserializer(), new ByteArrayDeserializer());
        consumer.assign(List.of(place(topic)));
        consumer.seekToBeginning(List.of(place(topic)));
        return consumer;
    }

    /** A member of the group that has the topic's name. */
    Consumer<String, String> member(String topic, Map<String, Object> settings) {
        Map<String, Object> all = new HashMap<>(with(settings));
        all.put("group.id", topic);
        all.put("auto.offset.reset", "earliest");
        if (!all.containsKey("group.protocol")) {
            all.put("heartbeat.interval.ms", 500);
        }
        var consumer = new KafkaConsumer<>(all, new StringDeserializer(), new StringDeserializer());
        consumer.subscribe(List.of(topic));
        return consumer;
    }

    /** A consumer of the new protocol that is in no group but keeps its offsets under the topic's name. */
    Consumer<String, String> assigned(String topic, String name) {
        Map<String, Object> settings = Map.of("group.protocol", "consumer", "group.id", topic, "enable.auto.commit", false,
                "auto.offset.reset", "earliest", "client.id", run.client + "-" + name);
        var consumer = new KafkaConsumer<>(with(settings), new StringDeserializer(), new StringDeserializer());
        consumer.assign(List.of(place(topic)));
        return consumer;
    }

    /** The topic as the broker describes it, once it does: Kafka tells of a new topic a moment after its creation. */
    TopicDescription describe(String topic) throws Exception {
        List<TopicDescription> found = new ArrayList<>();
        Run.until("the topic is described", () -> !found.isEmpty(), () -> {
            try {
                found.add(admin.describeTopics(List.of(topic)).allTopicNames().get().get(topic));
            } catch (ExecutionException error) {
                Thread.sleep(50);
            }
        });
        return found.get(0);
    }

    static TopicPartition place(String topic) {
        return new TopicPartition(topic, 0);
    }

    /** Produces the lines in turn over the partitions and returns the offsets. */
    static List<Long> send(Producer<String, String> producer, String topic, List<String> lines, int partitions)
            throws Exception {
        List<Future<RecordMetadata>> tickets = new ArrayList<>();
        for (int at = 0; at < lines.size(); at++) {
            tickets.add(producer.send(new ProducerRecord<>(topic, at % partitions, null, lines.get(at))));
        }
        producer.flush();
        List<Long> offsets = new ArrayList<>();
        for (Future<RecordMetadata> ticket : tickets) {
            offsets.add(ticket.get().offset());
        }
        return offsets;
    }

    void send(String topic, List<String> lines, int partitions) throws Exception {
        try (var producer = producer(Map.of())) {
            send(producer, topic, lines, partitions);
        }
    }

    static <T> List<ConsumerRecord<T, T>> take(Consumer<T, T> consumer, int count) throws Exception {
        List<ConsumerRecord<T, T>> rows = new ArrayList<>();
        Run.until(count + " records", () -> rows.size() >= count,
                () -> consumer.poll(Duration.ofMillis(200)).forEach(rows::add));
        return rows;
    }

    static <T> List<T> values(List<ConsumerRecord<T, T>> rows) {
        return rows.stream().map(ConsumerRecord::value).collect(Collectors.toList());
    }
}
