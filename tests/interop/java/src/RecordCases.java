package interop;

import static interop.Run.same;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;
import java.util.stream.LongStream;
import java.util.stream.StreamSupport;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.header.Header;
import org.apache.kafka.common.header.internals.RecordHeader;

/** What goes in comes out: all lines, headers, nulls, a very large record. */
final class RecordCases {
    private final Run run;
    private final Clients clients;

    RecordCases(Run run, Clients clients) {
        this.run = run;
        this.clients = clients;
    }

    void all() {
        for (String codec : Run.CODECS) {
            run.test("10,000 lines, " + codec, () -> allLines(codec));
        }
        run.test("idempotent", this::idempotent);
        run.test("acks 0 and 1", this::fewerAcks);
        run.test("headers with duplicate keys, null keys and values", this::headersAndNulls);
        run.test("a record of 1 MiB", () -> large("mebibyte", 1 << 20));
        run.test("a record of 64 MiB", () -> large("large", 64 << 20));
    }

    private void allLines(String codec) throws Exception {
        String topic = clients.create(codec);
        String clientId = run.client + "-" + codec;
        Map<String, Object> settings =
                Map.of("compression.type", codec, "client.id", clientId, "enable.idempotence", false);
        try (var producer = clients.producer(settings)) {
            Clients.send(producer, topic, run.lines, 1);
        }
        check(topic, run.lines);
        run.checkCodec(clientId, codec);
    }

    private void check(String topic, List<String> lines) throws Exception {
        try (var reader = clients.reader(topic, "reader")) {
            same(lines, Clients.values(Clients.take(reader, lines.size())), "lines");
        }
    }

    private void idempotent() throws Exception {
        String topic = clients.create("idempotent");
        Map<String, Object> settings = Map.of("enable.idempotence", true, "acks", "all", "batch.size", 4096);
        try (var producer = clients.producer(settings)) {
            List<Long> offsets = Clients.send(producer, topic, run.lines, 1);
            same(LongStream.range(0, run.lines.size()).boxed().collect(Collectors.toList()), offsets, "offsets");
        }
        check(topic, run.lines);
    }

    private void fewerAcks() throws Exception {
        String topic = clients.create("acks");
        List<String> none = run.lines.subList(0, 1000);
        List<String> one = run.lines.subList(1000, 2000);
        try (var producer = clients.producer(Map.of("acks", "0", "enable.idempotence", false))) {
            Clients.send(producer, topic, none, 1);
        }
        check(topic, none);
        try (var producer = clients.producer(Map.of("acks", "1", "enable.idempotence", false))) {
            Clients.send(producer, topic, one, 1);
        }
        check(topic, run.lines.subList(0, 2000));
    }

    private void headersAndNulls() throws Exception {
        String topic = clients.create("headers");
        List<Header> headers = List.of(header("a", new byte[] {1}), header("a", null), header("b", new byte[0]),
                header("a", new byte[] {(byte) 0xff, 0}));
        String[][] pairs = {{"key", "value"}, {null, "no key"}, {"no value", null}, {"", ""}};
        try (var producer = clients.producer(Map.of("client.id", run.client + "-headers"))) {
            for (String[] pair : pairs) {
                producer.send(new ProducerRecord<>(topic, 0, null, pair[0], pair[1], headers));
            }
            producer.flush();
        }
        try (var reader = clients.reader(topic, "headers-reader")) {
            List<ConsumerRecord<String, String>> rows = Clients.take(reader, pairs.length);
            same(told(pairs), pairsOf(rows), "keys and values");
            for (ConsumerRecord<String, String> row : rows) {
                same(told(headers), told(row.headers()), "headers");
            }
        }
    }

    private static Header header(String key, byte[] value) {
        return new RecordHeader(key, value);
    }

    private static List<String> told(String[][] pairs) {
        return Arrays.stream(pairs).map(Arrays::toString).collect(Collectors.toList());
    }

    private static List<String> pairsOf(List<ConsumerRecord<String, String>> rows) {
        List<String> told = new ArrayList<>();
        rows.forEach(row -> told.add(Arrays.toString(new String[] {row.key(), row.value()})));
        return told;
    }

    private static List<String> told(Iterable<Header> headers) {
        return StreamSupport.stream(headers.spliterator(), false)
                .map(header -> header.key() + "=" + Arrays.toString(header.value()))
                .collect(Collectors.toList());
    }

    private void large(String name, int recordBytes) throws Exception {
        int batchBytes = recordBytes + (1 << 20);
        String topic = clients.create(name, 1, Map.of("max.message.bytes", String.valueOf(batchBytes)));
        byte[] value = new byte[recordBytes];
        for (int at = 0; at < value.length; at++) {
            value[at] = (byte) (at * 31 >> 3);
        }
        Map<String, Object> settings = Map.of("max.request.size", batchBytes, "buffer.memory", 2L * batchBytes);
        try (var producer = clients.bytesProducer(settings)) {
            producer.send(new ProducerRecord<>(topic, 0, null, value)).get();
        }
        try (var reader = clients.bytesReader(topic)) {
            same(true, Arrays.equals(value, Clients.take(reader, 1).get(0).value()), "the same bytes");
        }
    }
}
