import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.stream.LongStream;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.serialization.ByteArraySerializer;

/**
 * Transactions one after the other, by one producer or by several at once: each sends its records, in turn to all partitions,
 * waits for their answers, commits. The clock of a commit runs from there.
 *
 * Arguments: HOST:PORT TOPIC PARTITIONS PRODUCERS RECORDS_OF_A_TRANSACTION RECORD_BYTES WARM_UP_SECONDS SECONDS. Prints commits
 * per second, microseconds of a commit at 50 and 99 %, and how many transactions there were with those of the warm-up.
 */
final class Transactions {
    private final String[] arguments;
    private final int partitions;
    private final int records;
    private final byte[] value;

    private Transactions(String[] arguments) {
        this.arguments = arguments;
        partitions = Integer.parseInt(arguments[2]);
        records = Integer.parseInt(arguments[4]);
        value = new byte[Integer.parseInt(arguments[5])];
    }

    public static void main(String[] arguments) throws Exception {
        Transactions transactions = new Transactions(arguments);
        int producers = Integer.parseInt(arguments[3]);
        double seconds = Double.parseDouble(arguments[7]);
        List<KafkaProducer<byte[], byte[]>> ready = new ArrayList<>();
        for (int number = 0; number < producers; number++) {
            ready.add(transactions.producer(number));
        }
        ExecutorService pool = Executors.newFixedThreadPool(producers);
        List<Callable<Taken>> work = new ArrayList<>();
        long begin = System.nanoTime() + (long) (Double.parseDouble(arguments[6]) * 1e9);
        for (KafkaProducer<byte[], byte[]> producer : ready) {
            work.add(() -> transactions.run(producer, begin, begin + (long) (seconds * 1e9)));
        }
        List<Taken> taken = new ArrayList<>();
        for (Future<Taken> future : pool.invokeAll(work)) {
            taken.add(future.get());
        }
        pool.shutdown();
        long[] commits = taken.stream().flatMapToLong(one -> LongStream.of(one.commits)).sorted().toArray();
        if (commits.length == 0) {
            throw new IllegalStateException("no transaction was over in time");
        }
        System.out.printf("%.1f%n%.1f%n%.1f%n%d%n", commits.length / seconds, commits[commits.length / 2] / 1e3,
                commits[(int) (commits.length * 0.99)] / 1e3, taken.stream().mapToLong(one -> one.all).sum());
        System.exit(0); // closing the clients is not of interest
    }

    /** Nanoseconds of each commit that counts, and how many transactions there were. */
    private record Taken(long[] commits, long all) {
    }

    private KafkaProducer<byte[], byte[]> producer(int number) {
        KafkaProducer<byte[], byte[]> producer = new KafkaProducer<>(
                Map.of("bootstrap.servers", arguments[0], "transactional.id", arguments[1] + "-" + number, "linger.ms", 0),
                new ByteArraySerializer(), new ByteArraySerializer());
        producer.initTransactions();
        return producer;
    }

    private Taken run(KafkaProducer<byte[], byte[]> producer, long begin, long end) throws Exception {
        LongStream.Builder commits = LongStream.builder();
        long all = 0;
        for (long now = 0; now < end; all++) {
            long took = transaction(producer);
            now = System.nanoTime();
            if (now >= begin && now < end) {
                commits.add(took);
            }
        }
        return new Taken(commits.build().toArray(), all);
    }

    private long transaction(KafkaProducer<byte[], byte[]> producer) throws Exception {
        producer.beginTransaction();
        List<Future<?>> sent = new ArrayList<>(records);
        for (int at = 0; at < records; at++) {
            sent.add(producer.send(new ProducerRecord<>(arguments[1], at % partitions, null, value)));
        }
        producer.flush();
        for (Future<?> one : sent) {
            one.get();
        }
        long before = System.nanoTime();
        producer.commitTransaction();
        return System.nanoTime() - before;
    }
}
