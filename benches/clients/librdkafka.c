/* Produces or consumes with librdkafka and says what that cost its own process: one of the sides of benches/clients/run.sh,
 * beside benches/client.rs and benches/clients/Client.java, which take the same words.
 *
 *   client produce BOOTSTRAP TOPIC RECORDS BYTES CODEC PAYLOADS
 *   client latency BOOTSTRAP TOPIC RECORDS BYTES CODEC PAYLOADS PER_MILLISECOND
 *   client consume BOOTSTRAP TOPIC RECORDS PARTITIONS
 *
 * PAYLOADS is a file whose text is cut into values. The first quarter of the records warms up and is not counted.
 *
 * Everything is done the way that is best for librdkafka: payloads are neither copied nor freed by the caller, polls
 * are rare, messages are consumed in batches from one queue. Every delivery report is looked at. */

#include <librdkafka/rdkafka.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#define POLL_EVERY 1000
#define BATCH 10000

static long delivered, failed, warm_up;
static int64_t *micros;

static void fail(const char *what, const char *why) {
    fprintf(stderr, "%s: %s\n", what, why);
    exit(1);
}

static int64_t now_nanos(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000000000LL + now.tv_nsec;
}

static double cpu_seconds(void) {
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return usage.ru_utime.tv_sec + usage.ru_stime.tv_sec + (usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

static void report(long records, double cpu_before) {
    double cpu = cpu_seconds() - cpu_before;
    printf("records %ld cpu_seconds %.3f records_per_cpu_second %.0f\n", records, cpu, records / cpu);
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
    else if (micros) micros[delivered++] = (now_nanos() - (int64_t)(intptr_t)message->_private) / 1000;
    else delivered++;
}

static char *payloads(const char *path, size_t bytes, size_t *count) {
    FILE *file = fopen(path, "r");
    if (!file) fail("payloads", path);
    char *text = malloc(1 << 24);
    *count = fread(text, 1, 1 << 24, file) / bytes;
    fclose(file);
    if (!*count) fail("payloads", "too few");
    return text;
}

static rd_kafka_topic_t *producer(rd_kafka_conf_t *conf, const char *topic, const char *codec, rd_kafka_t **rk) {
    set(conf, "acks", "all");
    set(conf, "enable.idempotence", "true");
    set(conf, "linger.ms", "5");
    set(conf, "batch.size", "131072");
    set(conf, "batch.num.messages", "1000000");
    set(conf, "queue.buffering.max.messages", "1000000");
    set(conf, "queue.buffering.max.kbytes", "32768");
    set(conf, "compression.codec", codec);
    rd_kafka_conf_set_dr_msg_cb(conf, on_delivery);
    *rk = client(RD_KAFKA_PRODUCER, conf);
    return rd_kafka_topic_new(*rk, topic, NULL);
}

static void send_one(rd_kafka_t *rk, rd_kafka_topic_t *rkt, char *payload, size_t bytes) {
    for (;;) {
        void *started = micros ? (void *)(intptr_t)now_nanos() : NULL;
        if (!rd_kafka_produce(rkt, RD_KAFKA_PARTITION_UA, 0, payload, bytes, NULL, 0, started)) return;
        if (rd_kafka_last_error() != RD_KAFKA_RESP_ERR__QUEUE_FULL) fail("produce", rd_kafka_err2str(rd_kafka_last_error()));
        rd_kafka_poll(rk, 10);
    }
}

static void stored(rd_kafka_t *rk, long records) {
    rd_kafka_flush(rk, 60000);
    if (failed || delivered != records) fail("produce", "not every record was stored");
}

static void produce(rd_kafka_conf_t *conf, char **words, long records) {
    size_t bytes = (size_t)atol(words[5]), count;
    char *text = payloads(words[7], bytes, &count);
    rd_kafka_t *rk;
    rd_kafka_topic_t *rkt = producer(conf, words[3], words[6], &rk);
    double cpu = 0;
    for (long sent = 0; sent < records; sent++) {
        if (sent == warm_up) cpu = cpu_seconds();
        send_one(rk, rkt, text + sent % count * bytes, bytes);
        if (sent % POLL_EVERY == 0) rd_kafka_poll(rk, 0);
    }
    stored(rk, records);
    report(records - warm_up, cpu);
}

static void *poll_always(void *rk) {
    for (;;) rd_kafka_poll(rk, 100);
    return NULL;
}

static int by_size(const void *a, const void *b) {
    int64_t left = *(const int64_t *)a, right = *(const int64_t *)b;
    return (left > right) - (left < right);
}

static void latency(rd_kafka_conf_t *conf, char **words, long records) {
    size_t bytes = (size_t)atol(words[5]), count;
    char *text = payloads(words[7], bytes, &count);
    long per_tick = atol(words[8]);
    micros = calloc(records, sizeof *micros);
    rd_kafka_t *rk;
    rd_kafka_topic_t *rkt = producer(conf, words[3], words[6], &rk);
    pthread_t poller;
    pthread_create(&poller, NULL, poll_always, rk);
    double cpu = 0;
    int64_t next = now_nanos();
    for (long sent = 0; sent < records; sent++) {
        if (sent == warm_up) cpu = cpu_seconds();
        if (sent % per_tick == 0) {
            next += 1000000;
            struct timespec until = {next / 1000000000, next % 1000000000};
            clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL);
        }
        send_one(rk, rkt, text + sent % count * bytes, bytes);
    }
    while (delivered + failed < records) {
        struct timespec rest = {0, 1000000};
        nanosleep(&rest, NULL);
    }
    stored(rk, records);
    report(records - warm_up, cpu);
    long counted = records - warm_up;
    qsort(micros + warm_up, counted, sizeof *micros, by_size);
    printf("p50_us %ld p99_us %ld\n", (long)micros[warm_up + counted / 2], (long)micros[warm_up + counted * 99 / 100]);
}

static void consume(rd_kafka_conf_t *conf, char **words, long records) {
    set(conf, "check.crcs", "true");
    set(conf, "fetch.message.max.bytes", "1048576");
    rd_kafka_t *rk = client(RD_KAFKA_CONSUMER, conf);
    rd_kafka_topic_t *rkt = rd_kafka_topic_new(rk, words[3], NULL);
    rd_kafka_queue_t *queue = rd_kafka_queue_new(rk);
    for (int id = 0; id < atoi(words[5]); id++)
        rd_kafka_consume_start_queue(rkt, id, RD_KAFKA_OFFSET_BEGINNING, queue);
    static rd_kafka_message_t *messages[BATCH];
    long seen = 0, before = 0;
    size_t sum = 0;
    double cpu = 0;
    while (seen < records) {
        if (seen >= warm_up && !before) before = seen, cpu = cpu_seconds();
        ssize_t count = rd_kafka_consume_batch_queue(queue, 100, messages, BATCH);
        for (ssize_t i = 0; i < count; i++) {
            if (!messages[i]->err) seen++, sum += messages[i]->len;
            rd_kafka_message_destroy(messages[i]);
        }
    }
    report(seen - before, cpu);
    fprintf(stderr, "%zu bytes\n", sum);
}

int main(int count, char **words) {
    if (count < 6) fail("usage", "client produce|latency|consume BOOTSTRAP TOPIC RECORDS ...");
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    set(conf, "bootstrap.servers", words[2]);
    long records = atol(words[4]);
    warm_up = records / 4;
    if (!strcmp(words[1], "produce") && count == 8) produce(conf, words, records);
    else if (!strcmp(words[1], "latency") && count == 9) latency(conf, words, records);
    else if (!strcmp(words[1], "consume")) consume(conf, words, records);
    else fail("usage", "client produce|latency|consume BOOTSTRAP TOPIC RECORDS ...");
    /* What is torn down is not measured. */
    exit(0);
}
