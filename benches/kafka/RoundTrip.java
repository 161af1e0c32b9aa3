import java.time.Duration;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import org.apache.kafka.common.serialization.ByteArraySerializer;

/**
 * One record there and back at a time, as Kafka's EndToEndLatency does it: send with acks=all, then poll until it comes. That
 * tool rounds down to whole milliseconds and has no warm-up; this one prints microseconds after a warm-up.
 *
 * Arguments: HOST:PORT TOPIC RECORDS WARM_UP_RECORDS RECORD_BYTES. Prints the percentiles 50, 99 and 99.9.
 */
final class RoundTrip {
    private final KafkaProducer<byte[], byte[]> producer;
    private final KafkaConsumer<byte[], byte[]> consumer;
    private final TopicPartition place;

    private RoundTrip(String bootstrap, String topic) {
        place = new TopicPartition(topic, 0);
        producer = new KafkaProducer<>(Map.of("bootstrap.servers", bootstrap, "acks", "all", "linger.ms", 0),
                new ByteArraySerializer(), new ByteArraySerializer());
        consumer = new KafkaConsumer<>(Map.of("bootstrap.servers", bootstrap, "fetch.max.wait.ms", 500),
                new ByteArrayDeserializer(), new ByteArrayDeserializer());
        consumer.assign(List.of(place));
        consumer.seekToEnd(List.of(place));
        consumer.position(place);
    }

    public static void main(String[] arguments) throws Exception {
        RoundTrip trip = new RoundTrip(arguments[0], arguments[1]);
        byte[] value = new byte[Integer.parseInt(arguments[4])];
        trip.nanos(value, Integer.parseInt(arguments[3]));
        long[] nanos = trip.nanos(value, Integer.parseInt(arguments[2]));
        Arrays.sort(nanos);
        for (double share : new double[] {0.5, 0.99, 0.999}) {
            System.out.printf("%.1f%n", nanos[(int) (nanos.length * share)] / 1000.0);
        }
        System.exit(0); // closing the clients is not of interest
    }

    private long[] nanos(byte[] value, int records) throws Exception {
        long[] nanos = new long[records];
        for (int at = 0; at < records; at++) {
            value[at % value.length] += 1;
            long begin = System.nanoTime();
            producer.send(new ProducerRecord<>(place.topic(), 0, null, value)).get();
            var found = consumer.poll(Duration.ofSeconds(60));
            nanos[at] = System.nanoTime() - begin;
            if (found.count() != 1 || !Arrays.equals(found.iterator().next().value(), value)) {
                throw new IllegalStateException("record " + at + " did not come back alone and equal");
            }
        }
        return nanos;
    }
}
