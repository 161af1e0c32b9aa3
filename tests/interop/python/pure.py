"""kafka-python, the old 2.0.2 and the new 3: one program, since their interfaces are nearly the same."""

import kafka
from kafka import ConsumerRebalanceListener, KafkaConsumer, KafkaProducer, OffsetAndMetadata, TopicPartition
from kafka.errors import KafkaError
from kafka.admin import ConfigResource, ConfigResourceType, KafkaAdminClient, NewPartitions, NewTopic

from harness import CODECS, LINES, MIB, Run, Voice
from result import same, until
from transactions import Transactions

MAJOR = int(kafka.__version__.split(".")[0])
run = Run(f"kafka-python-{MAJOR}")


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


def polled(consumer, count, timeout_ms=200):
    return [row for rows in consumer.poll(timeout_ms, count).values() for row in rows]


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


class Listener(ConsumerRebalanceListener):
    def __init__(self, voice):
        self.voice = voice

    def on_partitions_assigned(self, assigned):
        self.voice.assigned(place.partition for place in assigned)

    def on_partitions_revoked(self, revoked):
        self.voice.revoked(place.partition for place in revoked)

    on_partitions_lost = on_partitions_revoked


# The new client, where a poll ends between the answer to its SyncGroup and its own heed of it, forgets the assignment.
MEMBER_POLL_MS = 200 if MAJOR == 2 else 2000


def member():
    """A member of a group as members.py wants it."""
    options, voice = run.options, Voice()
    settings = {"partition_assignment_strategy": [assignor(options.kind)]}
    if options.instance:
        settings["group_instance_id"] = options.instance
    consumer = KafkaConsumer(bootstrap_servers=run.bootstrap, group_id=options.group, auto_offset_reset="earliest",
                             session_timeout_ms=options.session, heartbeat_interval_ms=500, **settings)
    consumer.subscribe([options.member], listener=Listener(voice))
    while not voice.leaving.is_set():
        for row in polled(consumer, 500, MEMBER_POLL_MS):
            voice.row(row.partition, row.offset, row.value)
    consumer.close()


def assignor(kind):
    if kind == "cooperative":
        from kafka.coordinator.assignors.cooperative_sticky import CooperativeStickyAssignor
        return CooperativeStickyAssignor
    from kafka.coordinator.assignors.range import RangePartitionAssignor
    return RangePartitionAssignor


def topics():
    topic = create("admin", 3, retention_ms="3600000")
    until("the topic is listed", lambda: topic in admin.list_topics())
    found = str(admin.describe_configs([ConfigResource(ConfigResourceType.TOPIC, topic)]))
    same(True, "retention.ms" in found and "3600000" in found, "retention.ms in the configuration")
    admin.delete_topics([topic])
    until("the topic is gone", lambda: topic not in admin.list_topics())


def partitions():
    topic = create("partitions")
    admin.create_partitions({topic: NewPartitions(3)})
    until("three partitions", lambda: len(partitions_of(topic)) == 3)
    send(topic, [(2, None, b"value", None, None)])


def partitions_of(topic):
    found = admin.describe_topics([topic])
    return found[0]["partitions"]


def settings():
    topic = create("settings", retention_ms="3600000")
    admin.alter_configs([ConfigResource(ConfigResourceType.TOPIC, topic, {"retention.ms": "7200000"})])
    until("retention.ms is two hours",
          lambda: "7200000" in str(admin.describe_configs([ConfigResource(ConfigResourceType.TOPIC, topic)])))


def groups():
    topic = create("listed")
    committed_group(topic)
    delete_groups([topic])
    same(False, topic in str(list_groups()), "the group in the list")


def committed_group(topic):
    """A group that has consumed ten lines, committed, and ended."""
    send(topic, plain(LINES[:10]))
    member = subscribed(topic)
    take(member, 10)
    member.commit()
    same(True, topic in str(list_groups()), "the group in the list")
    same(True, "Stable" in described(topic), "a stable group")
    member.close()
    until("the group is empty", lambda: "Empty" in described(topic))


# The new client has other names and answers for the same questions; both name the state.
def list_groups():
    return admin.list_groups() if MAJOR > 2 else admin.list_consumer_groups()


def described(group):
    return str((admin.describe_groups if MAJOR > 2 else admin.describe_consumer_groups)([group]))


def delete_groups(groups):
    return (admin.delete_groups if MAJOR > 2 else admin.delete_consumer_groups)(groups)


def offsets_deleted():
    topic = create("forgotten")
    committed_group(topic)
    same(True, "offset=10" in str(admin.list_group_offsets(topic)), "the committed offset in the answer")
    admin.delete_group_offsets(topic, [TopicPartition(topic, 0)])
    same(False, "offset=10" in str(admin.list_group_offsets(topic)), "the committed offset in the answer")


def set_by_time():
    """The old client commits as a consumer that is in no group, the new one has an administrator's call."""
    topic = create("by-time", retention_ms="-1")  # old records: retention must not take them away
    send(topic, [(0, None, str(stamp).encode(), None, stamp) for stamp in (1000, 2000, 3000)])
    place, consumer = TopicPartition(topic, 0), reader(topic, group_id=topic)
    found = consumer.offsets_for_times({place: 1500})[place].offset
    consumer.commit({place: OffsetAndMetadata(found, "", *([-1] if MAJOR > 2 else []))})
    consumer.close()
    second = subscribed(topic)
    same([b"2000", b"3000"], values(take(second, 2)), "records from the time on")
    second.close()


def mebibyte():
    topic, value = create("mebibyte", max_message_bytes=str(2 * MIB)), bytes(range(256)) * (MIB // 256)
    send(topic, [(0, b"mebibyte", value, None, None)], max_request_size=2 * MIB)
    consumer = reader(topic)
    same(True, values(take(consumer, 1)) == [value], "the same 1 MiB")
    consumer.close()


def log_dirs():
    topic = create("sizes")
    send(topic, plain(LINES[:100]))
    same(True, topic in str(admin.describe_log_dirs()), "the topic in the directories")


def offsets_by_time():
    topic = create("offsets", retention_ms="-1")  # old records: retention must not take them away
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


class Steps(Transactions):
    error = KafkaError

    def create(self, name):
        return create(name)

    def producer(self, topic, **settings):
        producer = KafkaProducer(bootstrap_servers=run.bootstrap, transactional_id=topic, **settings)
        producer.init_transactions()
        return producer

    def write(self, producer, topic, rows):
        tickets = [producer.send(topic, value=row, partition=0) for row in rows]
        producer.flush(60)
        for ticket in tickets:
            ticket.get(30)

    def write_plainly(self, topic, value):
        send(topic, plain([value]))

    def read_committed(self, topic, count):
        consumer = reader(topic, isolation_level="read_committed")
        found = values(take(consumer, count))
        consumer.close()
        return found

    def offsets(self, topic, producer):
        send(topic, plain(LINES[:3]))
        member, place = subscribed(topic), TopicPartition(topic, 0)
        take(member, 3)
        for offset, end in ((2, producer.commit_transaction), (3, producer.abort_transaction)):
            producer.begin_transaction()
            producer.send_offsets_to_transaction({place: OffsetAndMetadata(offset, "", -1)}, topic)
            end()
        committed = member.committed(place)
        member.close()
        return committed

    def close(self, producer):
        producer.close()


def cases():
    for name in CODECS:
        run.case(f"10,000 lines, {name}", all_lines, name)
    if MAJOR > 2:
        run.case("idempotent", idempotent)
        Steps().cases(run)
        run.case("log directories described", log_dirs)
        run.case("offsets deleted", offsets_deleted)
    run.case("topics created, described, deleted", topics)
    run.case("partitions added", partitions)
    run.case("settings altered", settings)
    run.case("groups listed, described, deleted", groups)
    run.case("offsets set by time", set_by_time)
    run.case("offsets by time", offsets_by_time)
    run.case("headers with duplicate keys, null keys and values", headers_and_nulls)
    run.case("seek", seek)
    run.case("restart from committed", restart_from_committed)
    run.case("a record of 1 MiB", mebibyte)
    run.done()


if run.options.member:
    member()
else:
    admin = KafkaAdminClient(bootstrap_servers=run.bootstrap, client_id=f"python-{MAJOR}-admin")
    cases()
