"""kafka-python, the old 2.0.2 and the new 3: one program, since their interfaces are nearly the same."""

import threading

import kafka
from kafka import KafkaConsumer, KafkaProducer, OffsetAndMetadata, TopicPartition
from kafka.admin import ConfigResource, ConfigResourceType, KafkaAdminClient, NewTopic

from harness import CODECS, GROUP_PARTITIONS, LINES, Failed, Run, check_group, same, until

MAJOR = int(kafka.__version__.split(".")[0])
run = Run(f"kafka-python-{MAJOR}")
admin = KafkaAdminClient(bootstrap_servers=run.bootstrap, client_id=f"python-{MAJOR}-admin")


def create(name, partitions=1, **config):
    topic = run.topic(name)
    config = {key.replace("_", "."): value for key, value in config.items()}
    admin.create_topics([NewTopic(topic, partitions, 1, topic_configs=config)])
    return topic


def send(topic, records, **settings):
    """Produces (partition, key, value, headers, timestamp) and returns the offsets."""
    producer = KafkaProducer(bootstrap_servers=run.bootstrap, acks="all", **settings)
    tickets = [
        producer.send(topic, value=value, key=key, headers=headers, partition=partition, timestamp_ms=stamp)
        for partition, key, value, headers, stamp in records
    ]
    producer.flush(60)
    offsets = [ticket.get(30).offset for ticket in tickets]
    producer.close()
    return offsets


def plain(lines, partitions=1):
    return [(at % partitions, None, line, None, None) for at, line in enumerate(lines)]


def reader(topic, **settings):
    """A consumer of partition 0 from its start."""
    consumer = KafkaConsumer(bootstrap_servers=run.bootstrap, enable_auto_commit=False, **settings)
    consumer.assign([TopicPartition(topic, 0)])
    consumer.seek(TopicPartition(topic, 0), 0)
    return consumer


def take(consumer, count):
    rows = []
    until(f"{count} records", lambda: len(rows) >= count, lambda: rows.extend(polled(consumer, count - len(rows))))
    return rows


def polled(consumer, count):
    return [row for rows in consumer.poll(200, count).values() for row in rows]


def values(rows):
    return [row.value for row in rows]


def all_lines(codec):
    topic, client_id = create(codec), f"python-{MAJOR}-{codec}"
    send(topic, plain(LINES), compression_type=None if codec == "none" else codec, client_id=client_id)
    consumer = reader(topic)
    same(LINES, values(take(consumer, len(LINES))), "lines")
    consumer.close()
    run.check_codec(client_id, codec)


def idempotent():
    topic = create("idempotent")
    same(list(range(len(LINES))), send(topic, plain(LINES), enable_idempotence=True), "offsets")


class Member:
    """A consumer of a group on its own thread."""

    def __init__(self, topic):
        self.topic, self.rows, self.owned, self.leave = topic, [], 0, threading.Event()
        self.thread = threading.Thread(target=self.work, daemon=True)
        self.thread.start()

    def work(self):
        consumer = KafkaConsumer(self.topic, bootstrap_servers=run.bootstrap, group_id=self.topic,
                                 auto_offset_reset="earliest", heartbeat_interval_ms=500)
        while not self.leave.is_set():
            self.rows.extend((row.partition, row.offset, row.value) for row in polled(consumer, 500))
            self.owned = len(consumer.assignment())
        consumer.close()

    def stop(self):
        self.leave.set()
        self.thread.join(30)


def group_of_two():
    topic = create("group", GROUP_PARTITIONS)
    members = [Member(topic), Member(topic)]
    until("both members have partitions", lambda: all(0 < member.owned < GROUP_PARTITIONS for member in members))
    send(topic, plain(LINES[:5000], GROUP_PARTITIONS))
    until("half of the lines", lambda: len(places(members)) == 5000)
    members[0].stop()
    send(topic, plain(LINES[5000:], GROUP_PARTITIONS))
    until("all lines", lambda: len(places(members)) == len(LINES))
    members[1].stop()
    check_group(members[0].rows, members[1].rows)


def places(members):
    return {row[:2] for member in members for row in list(member.rows)}


def topics():
    topic = create("admin", 3, retention_ms="3600000")
    until("the topic is listed", lambda: topic in admin.list_topics())
    found = str(admin.describe_configs([ConfigResource(ConfigResourceType.TOPIC, topic)]))
    same(True, "retention.ms" in found and "3600000" in found, "retention.ms in the configuration")
    admin.delete_topics([topic])
    until("the topic is gone", lambda: topic not in admin.list_topics())


def offsets_by_time():
    topic = create("offsets")
    send(topic, [(0, None, b"value", None, stamp) for stamp in (1000, 2000, 3000)])
    place, consumer = TopicPartition(topic, 0), reader(topic)
    same({place: 0}, consumer.beginning_offsets([place]), "beginning")
    same({place: 3}, consumer.end_offsets([place]), "end")
    found = consumer.offsets_for_times({place: 1500})[place]
    same((1, 2000), (found.offset, found.timestamp), "first record at or after 1500")
    same(None, consumer.offsets_for_times({place: 4000})[place], "record at or after 4000")
    consumer.close()


def headers_and_nulls():
    topic = create("headers")
    headers = [("a", b"1"), ("a", b"2"), ("b", b""), ("a", b"\xff\x00")]
    pairs = [(b"key", b"value"), (None, b"no key"), (b"no value", None), (b"", b"")]
    send(topic, [(0, key, value, headers, None) for key, value in pairs])
    consumer = reader(topic)
    rows = take(consumer, len(pairs))
    consumer.close()
    same(pairs, [(row.key, row.value) for row in rows], "keys and values")
    same([headers] * len(pairs), [list(row.headers) for row in rows], "headers")


def seek():
    topic = create("seek")
    send(topic, plain(LINES[:100]))
    consumer = reader(topic)
    same(LINES[:100], values(take(consumer, 100)), "lines from the start")
    consumer.seek(TopicPartition(topic, 0), 40)
    same(LINES[40:100], values(take(consumer, 60)), "lines after the seek")
    consumer.close()


def restart_from_committed():
    topic = create("commit")
    send(topic, plain(LINES[:100]))
    first, place = subscribed(topic), TopicPartition(topic, 0)
    same(LINES[:30], values(take(first, 30)), "lines before the restart")
    # The new client adds a leader epoch to what the old one knows.
    first.commit({place: OffsetAndMetadata(30, "half way", *([-1] if MAJOR > 2 else []))})
    first.close()
    second = subscribed(topic)
    same(30, second.committed(place), "committed")
    same(LINES[30:100], values(take(second, 70)), "lines after the restart")
    second.close()


def subscribed(topic):
    return KafkaConsumer(topic, bootstrap_servers=run.bootstrap, group_id=topic, auto_offset_reset="earliest",
                         enable_auto_commit=False)


for name in CODECS:
    run.case(f"10,000 lines, {name}", all_lines, name)
run.case("group of two, one leaves", group_of_two)
if MAJOR > 2:
    run.case("idempotent", idempotent)
run.case("topics created, described, deleted", topics)
run.case("offsets by time", offsets_by_time)
run.case("headers with duplicate keys, null keys and values", headers_and_nulls)
run.case("seek", seek)
run.case("restart from committed", restart_from_committed)
run.done()
