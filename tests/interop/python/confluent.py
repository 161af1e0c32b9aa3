"""confluent-kafka, an old and the newest librdkafka."""

from confluent_kafka import (OFFSET_BEGINNING, Consumer, ConsumerGroupState, ConsumerGroupTopicPartitions,
                             KafkaException, Producer, TopicPartition, libversion)
from confluent_kafka.admin import (AdminClient, AlterConfigOpType, ConfigEntry, ConfigResource, NewPartitions, NewTopic,
                                   OffsetSpec, ResourceType)

from harness import CODECS, LARGE_BATCH_BYTES, LARGE_RECORD_BYTES, LINES, MIB, Run, Voice
from result import Failed, same, until
from transactions import Transactions

NEWEST = libversion()[1] >= 0x02060000
run = Run("confluent-kafka" if NEWEST else "confluent-kafka-old")
def create(name, partitions=1, **config):
    topic = run.topic(name)
    config = {key.replace("_", "."): value for key, value in config.items()}
    admin.create_topics([NewTopic(topic, partitions, 1, config=config)])[topic].result(30)
    return topic


def producer(**settings):
    return Producer(properties({"acks": "all", **settings}))


def properties(settings):
    return {"bootstrap.servers": run.bootstrap, **{key.replace("_", "."): value for key, value in settings.items()}}


def send(producer, topic, records):
    """Produces (partition, key, value, headers) and returns the offsets, failing with the first error."""
    offsets, errors = [], []

    def delivered(error, message):
        errors.append(error) if error else offsets.append(message.offset())

    for partition, key, value, headers in records:
        producer.produce(topic, value, key, partition=partition, headers=headers, on_delivery=delivered)
        producer.poll(0)
    left = producer.flush(60)
    if errors or left:
        raise Failed(f"{left} records are still on their way, {len(errors)} failed, the first with {errors[:1]}")
    return offsets


def consume(topic, count, start=OFFSET_BEGINNING, **settings):
    """Reads this many records of partition 0."""
    consumer = Consumer(properties({"group_id": "unused", "enable_auto_commit": False, **settings}))
    consumer.assign([TopicPartition(topic, 0, start)])
    try:
        return take(consumer, count)
    finally:
        consumer.close()


def take(consumer, count):
    rows = []
    until(f"{count} records", lambda: len(rows) >= count, lambda: rows.extend(good(consumer.consume(count, 0.2))))
    return rows


def good(messages):
    for message in messages:
        if message.error():
            raise Failed(str(message.error()))
    return messages


def all_lines(codec):
    topic, client_id = create(codec), f"confluent-{codec}"
    send(producer(compression_type=codec, client_id=client_id), topic, [(0, None, line, None) for line in LINES])
    same(LINES, [row.value() for row in consume(topic, len(LINES))], "lines")
    run.check_codec(client_id, codec)


def idempotent():
    topic = create("idempotent")
    offsets = send(producer(enable_idempotence=True, linger_ms=1), topic, [(0, None, line, None) for line in LINES])
    same(list(range(len(LINES))), sorted(offsets), "offsets")
    same(LINES, [row.value() for row in consume(topic, len(LINES))], "lines")


def member():
    """A member of a group as members.py wants it."""
    options, voice = run.options, Voice()
    settings = {"group_id": options.group, "auto_offset_reset": "earliest"}
    if options.kind == "consumer":
        settings["group_protocol"] = "consumer"
    else:
        assignor = "cooperative-sticky" if options.kind == "cooperative" else "range"
        settings |= {"session_timeout_ms": options.session, "heartbeat_interval_ms": 500,
                     "partition_assignment_strategy": assignor}
    if options.instance:
        settings["group_instance_id"] = options.instance
    consumer = Consumer(properties(settings))
    consumer.subscribe(["^" + options.member if options.regex else options.member],
                       on_assign=lambda _, places: voice.assigned(place.partition for place in places),
                       on_revoke=lambda _, places: voice.revoked(place.partition for place in places))
    while not voice.leaving.is_set():
        for row in good(consumer.consume(500, 0.1)):
            voice.row(row.partition(), row.offset(), row.value())
    consumer.close()


def topics():
    topic = create("admin", 3, retention_ms="3600000")
    same(3, len(partitions_of(topic)), "partitions")
    same("3600000", config_of(topic)["retention.ms"].value, "retention.ms")
    admin.delete_topics([topic])[topic].result(30)
    until("the topic is gone", lambda: topic not in admin.list_topics(timeout=10).topics)


def partitions_of(topic):
    return admin.list_topics(topic, 10).topics[topic].partitions


def partitions():
    topic = create("partitions", 1)
    admin.create_partitions([NewPartitions(topic, 3)])[topic].result(30)
    until("three partitions", lambda: len(partitions_of(topic)) == 3)
    send(producer(), topic, [(2, None, b"value", None)])


def settings():
    topic = create("settings", retention_ms="3600000")
    entry = ConfigEntry("retention.ms", "7200000", incremental_operation=AlterConfigOpType.SET)
    resource = ConfigResource(ResourceType.TOPIC, topic, incremental_configs=[entry])
    admin.incremental_alter_configs([resource])[resource].result(30)
    until("retention.ms is two hours", lambda: config_of(topic)["retention.ms"].value == "7200000")
    admin.alter_configs([resource := ConfigResource(ResourceType.TOPIC, topic, set_config={"segment.bytes": "1048576"})])[resource].result(30)
    until("only segment.bytes is set", lambda: own_settings(topic) == {"segment.bytes": "1048576"})


def own_settings(topic):
    """What the topic itself has; of the settings of its durability a topic of ours always has its own."""
    dynamic_topic_config = 1
    return {name: entry.value for name, entry in config_of(topic).items()
            if entry.source == dynamic_topic_config and not name.startswith("flush.")}


def config_of(topic):
    resource = ConfigResource(ResourceType.TOPIC, topic)
    return admin.describe_configs([resource])[resource].result(30)


def cluster():
    found = admin.describe_cluster().result(30)
    same(True, bool(found.cluster_id) and len(found.nodes) == 1, "a cluster id and one node")
    node = found.nodes[0]
    same(run.bootstrap, f"{node.host}:{node.port}", "the node's address")


def groups():
    topic = create("listed")
    send(producer(), topic, [(0, None, line, None) for line in LINES[:10]])
    member = subscribed(topic)
    take(member, 10)
    member.commit(asynchronous=False)
    same(True, topic in listed(ConsumerGroupState.STABLE), "the group in the list")
    found = describe(topic)
    same([[TopicPartition(topic, 0)]], [row.assignment.topic_partitions for row in found.members], "assignments")
    member.close()
    until("the group is empty", lambda: describe(topic).state == ConsumerGroupState.EMPTY)
    admin.delete_consumer_groups([topic])[topic].result(30)
    same(False, topic in listed(), "the group in the list")


def listed(*states):
    return {group.group_id for group in admin.list_consumer_groups(states=set(states)).result(30).valid}


def set_by_time():
    topic = create("by-time", retention_ms="-1")  # old records: retention must not take them away
    client = producer()
    for stamp in (1000, 2000, 3000):
        client.produce(topic, str(stamp).encode(), partition=0, timestamp=stamp)
    client.flush(30)
    place = TopicPartition(topic, 0)
    found = admin.list_offsets({place: OffsetSpec.for_timestamp(1500)})[place].result(30).offset
    moved = ConsumerGroupTopicPartitions(topic, [TopicPartition(topic, 0, found)])
    admin.alter_consumer_group_offsets([moved])[topic].result(30)
    consumer = subscribed(topic)
    same([b"2000", b"3000"], [row.value() for row in take(consumer, 2)], "records from the time on")
    consumer.close()


def describe(group):
    return admin.describe_consumer_groups([group])[group].result(30)


def offsets_by_time():
    topic = create("offsets", retention_ms="-1")  # old records: retention must not take them away
    client = producer()
    for stamp in (1000, 2000, 3000):
        client.produce(topic, b"value", partition=0, timestamp=stamp)
    client.flush(30)
    cases = [(OffsetSpec.earliest(), 0), (OffsetSpec.latest(), 3), (OffsetSpec.for_timestamp(1500), 1),
             (OffsetSpec.for_timestamp(3000), 2), (OffsetSpec.max_timestamp(), 2), (OffsetSpec.for_timestamp(4000), -1)]
    for spec, offset in cases:
        place = TopicPartition(topic, 0)
        same(offset, admin.list_offsets({place: spec})[place].result(30).offset, f"offset for {spec}")


def headers_and_nulls():
    topic = create("headers")
    headers = [("a", b"1"), ("a", None), ("b", b""), ("a", b"\xff\x00")]
    send(producer(), topic, [(0, b"key", b"value", headers), (0, None, b"no key", None), (0, b"no value", None, None),
                             (0, b"", b"", None)])
    rows = consume(topic, 4)
    same(headers, rows[0].headers(), "headers")
    expected = [(b"key", b"value"), (None, b"no key"), (b"no value", None), (b"", b"")]
    same(expected, [(row.key(), row.value()) for row in rows], "keys and values")


def seek():
    topic = create("seek")
    send(producer(), topic, [(0, None, line, None) for line in LINES[:100]])
    consumer = Consumer(properties({"group_id": topic}))
    consumer.assign([TopicPartition(topic, 0, 0)])
    same(LINES[:100], [row.value() for row in take(consumer, 100)], "lines from the start")
    consumer.seek(TopicPartition(topic, 0, 40))
    same(LINES[40:100], [row.value() for row in take(consumer, 60)], "lines after the seek")
    consumer.close()


def restart_from_committed():
    topic = create("commit")
    send(producer(), topic, [(0, None, line, None) for line in LINES[:100]])
    first = subscribed(topic)
    same(LINES[:30], [row.value() for row in take(first, 30)], "lines before the restart")
    first.commit(offsets=[TopicPartition(topic, 0, 30, metadata="half way")], asynchronous=False)
    first.close()
    second = subscribed(topic)
    committed = second.committed([TopicPartition(topic, 0)], 30)[0]
    same((30, "half way"), (committed.offset, committed.metadata), "committed")
    same(LINES[30:100], [row.value() for row in take(second, 70)], "lines after the restart")
    second.close()


def subscribed(topic):
    consumer = Consumer(properties({"group_id": topic, "auto_offset_reset": "earliest", "enable_auto_commit": False,
                                    "max_poll_interval_ms": 300000}))
    consumer.subscribe([topic])
    return consumer


def mebibyte():
    topic = create("mebibyte", max_message_bytes=str(2 * MIB))
    value = bytes(range(256)) * (MIB // 256)
    send(producer(message_max_bytes=2 * MIB), topic, [(0, b"mebibyte", value, None)])
    same(True, consume(topic, 1)[0].value() == value, "the same 1 MiB")


def large():
    topic = create("large", max_message_bytes=str(LARGE_BATCH_BYTES))
    value = bytes(range(256)) * (LARGE_RECORD_BYTES // 256)
    send(producer(message_max_bytes=LARGE_BATCH_BYTES), topic, [(0, b"large", value, None)])
    rows = consume(topic, 1, fetch_message_max_bytes=LARGE_BATCH_BYTES, fetch_max_bytes=LARGE_BATCH_BYTES,
                   receive_message_max_bytes=LARGE_BATCH_BYTES + (1 << 20))
    same(True, rows[0].value() == value, "the same 64 MiB")


class Steps(Transactions):
    error = KafkaException

    def create(self, name):
        return create(name)

    def producer(self, topic, **settings):
        client = producer(transactional_id=topic, **settings)
        client.init_transactions(30)
        return client

    def write(self, client, topic, values):
        send(client, topic, [(0, None, value, None) for value in values])

    def write_plainly(self, topic, value):
        self.write(producer(), topic, [value])

    def read_committed(self, topic, count):
        return [row.value() for row in consume(topic, count, isolation_level="read_committed")]

    def offsets(self, topic, client):
        send(producer(), topic, [(0, None, line, None) for line in LINES[:3]])
        member, place = subscribed(topic), TopicPartition(topic, 0)
        take(member, 3)
        for offset, end in ((2, self.commit), (3, self.abort)):
            client.begin_transaction()
            moved = TopicPartition(topic, 0, offset)
            client.send_offsets_to_transaction([moved], member.consumer_group_metadata(), 30)
            end(client)
        committed = member.committed([place], 30)[0].offset
        member.close()
        return committed

    def commit(self, client):
        client.commit_transaction(30)

    def abort(self, client):
        client.abort_transaction(30)


def cases():
    for name in CODECS:
        run.case(f"10,000 lines, {name}", all_lines, name)
    run.case("idempotent", idempotent)
    Steps().cases(run)
    run.case("topics created, described, deleted", topics)
    run.case("partitions added", partitions)
    run.case("settings altered", settings)
    run.case("cluster described", cluster)
    run.case("groups listed, described, deleted", groups)
    run.case("offsets set by time", set_by_time)
    run.case("offsets by time", offsets_by_time)
    run.case("headers with duplicate keys, null keys and values", headers_and_nulls)
    run.case("seek", seek)
    run.case("restart from committed", restart_from_committed)
    run.case("a record of 1 MiB", mebibyte)
    run.case("a record of 64 MiB", large)
    run.done()


if run.options.member:
    member()
else:
    admin = AdminClient({"bootstrap.servers": run.bootstrap, "client.id": "confluent-admin"})
    cases()
