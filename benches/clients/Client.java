import com.sun.management.OperatingSystemMXBean;
import com.sun.management.ThreadMXBean;
import java.lang.management.ManagementFactory;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.locks.LockSupport;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import org.apache.kafka.common.serialization.ByteArraySerializer;

/**
 * Produces or consumes with Kafka's own client and says what that cost its own process: one of the sides of
 * benches/clients/run.sh. The words are those of librdkafka.c. The first quarter of the records warms up, the virtual
 * machine's compiler included, and is not counted.
 */
final class Client {
    private static final OperatingSystemMXBean SYSTEM =
            (OperatingSystemMXBean) ManagementFactory.getOperatingSystemMXBean();
    private static final ThreadMXBean THREADS = (ThreadMXBean) ManagementFactory.getThreadMXBean();

    private final String bootstrap;
    private final String topic;
    private final int records;
    private final int warmUp;
    private final AtomicInteger stored = new AtomicInteger();
    private final AtomicInteger failed = new AtomicInteger();
    private long cpuBefore;
    private long bytesBefore;

    private Client(String[] words) {
        bootstrap = words[1];
        topic = words[2];
        records = Integer.parseInt(words[3]);
        warmUp = records / 4;
    }

    public static void main(String[] words) throws Exception {
        Client client = new Client(words);
        switch (words[0]) {
            case "produce" -> client.produce(words, 0);
            case "latency" -> client.produce(words, Integer.parseInt(words[7]));
            default -> client.consume(Integer.parseInt(words[4]));
        }
        System.exit(0); // what is torn down is not measured
    }

    /** Sends as fast as it goes, or so many records each millisecond. */
    private void produce(String[] words, int perMillisecond) throws Exception {
        byte[][] values = values(Path.of(words[6]), Integer.parseInt(words[4]));
        var producer = new KafkaProducer<>(Map.<String, Object>of("bootstrap.servers", bootstrap, "acks", "all",
                "enable.idempotence", true, "linger.ms", 5, "batch.size", 131072, "buffer.memory", 33554432L,
                "compression.type", words[5]), new ByteArraySerializer(), new ByteArraySerializer());
        long[] nanos = perMillisecond > 0 ? new long[records] : null;
        long next = System.nanoTime();
        for (int sent = 0; sent < records; sent++) {
            if (sent == warmUp) begin();
            if (perMillisecond > 0 && sent % perMillisecond == 0) {
                next += 1_000_000;
                for (long left = next - System.nanoTime(); left > 0; left = next - System.nanoTime()) {
                    LockSupport.parkNanos(left);
                }
            }
            send(producer, values[sent % values.length], nanos);
        }
        producer.flush();
        if (failed.get() > 0 || stored.get() != records) throw new IllegalStateException("not every record was stored");
        report(records - warmUp);
        if (nanos != null) {
            Arrays.sort(nanos, warmUp, records);
            int counted = records - warmUp;
            System.out.printf("p50_us %d p99_us %d%n", nanos[warmUp + counted / 2] / 1000,
                    nanos[warmUp + (int) (counted * 99L / 100)] / 1000);
        }
    }

    private void send(KafkaProducer<byte[], byte[]> producer, byte[] value, long[] nanos) {
        long started = nanos == null ? 0 : System.nanoTime();
        producer.send(new ProducerRecord<>(topic, value), (metadata, error) -> {
            if (error != null) failed.incrementAndGet();
            int at = stored.getAndIncrement();
            if (nanos != null) nanos[at] = System.nanoTime() - started;
        });
    }

    private void consume(int partitions) {
        var consumer = new KafkaConsumer<>(Map.<String, Object>of("bootstrap.servers", bootstrap, "auto.offset.reset",
                "earliest", "max.partition.fetch.bytes", 1048576, "max.poll.records", 10000, "enable.auto.commit", false),
                new ByteArrayDeserializer(), new ByteArrayDeserializer());
        List<TopicPartition> all = new ArrayList<>();
        for (int id = 0; id < partitions; id++) all.add(new TopicPartition(topic, id));
        consumer.assign(all);
        int seen = 0;
        int before = 0;
        long sum = 0;
        while (seen < records) {
            if (seen >= warmUp && before == 0) {
                before = seen;
                begin();
            }
            for (ConsumerRecord<byte[], byte[]> record : consumer.poll(Duration.ofSeconds(1))) {
                seen++;
                sum += record.value().length;
            }
        }
        report(seen - before);
        System.err.println(sum + " bytes");
    }

    private static byte[][] values(Path path, int bytes) throws Exception {
        byte[] text = Files.readAllBytes(path);
        byte[][] values = new byte[text.length / bytes][];
        for (int at = 0; at < values.length; at++) values[at] = Arrays.copyOfRange(text, at * bytes, (at + 1) * bytes);
        return values;
    }

    private void begin() {
        cpuBefore = SYSTEM.getProcessCpuTime();
        bytesBefore = allocated();
    }

    private void report(int counted) {
        double cpu = (SYSTEM.getProcessCpuTime() - cpuBefore) / 1e9;
        double bytes = (double) (allocated() - bytesBefore) / counted;
        System.out.printf("records %d cpu_seconds %.3f records_per_cpu_second %.0f allocated_bytes_per_record %.0f%n", counted, cpu,
                counted / cpu, bytes);
    }

    private static long allocated() {
        return Arrays.stream(THREADS.getThreadAllocatedBytes(THREADS.getAllThreadIds())).filter(bytes -> bytes > 0).sum();
    }
}
