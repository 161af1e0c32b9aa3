/* Produces or consumes with librdkafka and says what that cost its own process: the other side of benches/client.rs.
 *
 *   client produce BOOTSTRAP TOPIC RECORDS BYTES
 *   client consume BOOTSTRAP TOPIC RECORDS PARTITIONS
 *
 * Everything is done the way that is best for librdkafka: payloads are neither copied nor freed by the caller, polls
 * are rare, messages are consumed in batches from one queue. Every delivery report is looked at, as benches/client.rs
 * looks at every ticket. */

#include <librdkafka/rdkafka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#define POLL_EVERY 1000
#define BATCH 10000

static long delivered, failed;

static void fail(const char *what, const char *why) {
    fprintf(stderr, "%s: %s\n", what, why);
    exit(1);
}

static double wall_seconds(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec + now.tv_nsec / 1e9;
}

static double cpu_seconds(void) {
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return usage.ru_utime.tv_sec + usage.ru_stime.tv_sec + (usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

static void report(long records, double start) {
    double cpu = cpu_seconds();
    printf("records %ld cpu_seconds %.3f wall_seconds %.3f records_per_cpu_second %.0f\n", records, cpu,
           wall_seconds() - start, records / cpu);
}

static void set(rd_kafka_conf_t *conf, const char *name, const char *value) {
    char why[512];
    if (rd_kafka_conf_set(conf, name, value, why, sizeof why) != RD_KAFKA_CONF_OK) fail(name, why);
}

static rd_kafka_t *client(rd_kafka_type_t type, rd_kafka_conf_t *conf) {
    char why[512];
    rd_kafka_t *rk = rd_kafka_new(type, conf, why, sizeof why);
    if (!rk) fail("librdkafka", why);
    return rk;
}

static void on_delivery(rd_kafka_t *rk, const rd_kafka_message_t *message, void *opaque) {
    (void)rk, (void)opaque;
    if (message->err) failed++;
    else delivered++;
}

static void produce(rd_kafka_conf_t *conf, const char *topic, long records, size_t bytes) {
    double start = wall_seconds();
    set(conf, "acks", "all");
    set(conf, "enable.idempotence", "true");
    set(conf, "linger.ms", "5");
    set(conf, "batch.size", "131072");
    set(conf, "batch.num.messages", "1000000");
    set(conf, "queue.buffering.max.messages", "1000000");
    set(conf, "queue.buffering.max.kbytes", "32768");
    rd_kafka_conf_set_dr_msg_cb(conf, on_delivery);
    rd_kafka_t *rk = client(RD_KAFKA_PRODUCER, conf);
    rd_kafka_topic_t *rkt = rd_kafka_topic_new(rk, topic, NULL);
    char *payload = malloc(bytes);
    for (size_t i = 0; i < bytes; i++) payload[i] = (char)('a' + i % 26);
    for (long sent = 0; sent < records;) {
        int refused = rd_kafka_produce(rkt, RD_KAFKA_PARTITION_UA, 0, payload, bytes, NULL, 0, NULL);
        if (!refused) sent++;
        else if (rd_kafka_last_error() == RD_KAFKA_RESP_ERR__QUEUE_FULL) rd_kafka_poll(rk, 10);
        else fail("produce", rd_kafka_err2str(rd_kafka_last_error()));
        if (sent % POLL_EVERY == 0) rd_kafka_poll(rk, 0);
    }
    rd_kafka_flush(rk, 60000);
    if (failed || delivered != records) fail("produce", "not every record was stored");
    report(records, start);
}

static void consume(rd_kafka_conf_t *conf, const char *topic, long records, int partitions) {
    double start = wall_seconds();
    set(conf, "check.crcs", "true");
    set(conf, "fetch.message.max.bytes", "1048576");
    rd_kafka_t *rk = client(RD_KAFKA_CONSUMER, conf);
    rd_kafka_topic_t *rkt = rd_kafka_topic_new(rk, topic, NULL);
    rd_kafka_queue_t *queue = rd_kafka_queue_new(rk);
    for (int id = 0; id < partitions; id++)
        rd_kafka_consume_start_queue(rkt, id, RD_KAFKA_OFFSET_BEGINNING, queue);
    static rd_kafka_message_t *messages[BATCH];
    long seen = 0;
    size_t sum = 0;
    while (seen < records) {
        ssize_t count = rd_kafka_consume_batch_queue(queue, 100, messages, BATCH);
        for (ssize_t i = 0; i < count; i++) {
            if (!messages[i]->err) seen++, sum += messages[i]->len;
            rd_kafka_message_destroy(messages[i]);
        }
    }
    report(seen, start);
    fprintf(stderr, "%zu bytes\n", sum);
}

int main(int count, char **words) {
    if (count != 6) fail("usage", "client produce|consume BOOTSTRAP TOPIC RECORDS BYTES|PARTITIONS");
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    set(conf, "bootstrap.servers", words[2]);
    long records = atol(words[4]);
    if (!strcmp(words[1], "produce")) produce(conf, words[3], records, (size_t)atol(words[5]));
    else consume(conf, words[3], records, atoi(words[5]));
    /* What is torn down is not measured. */
    fflush(stdout);
    _Exit(0);
}
