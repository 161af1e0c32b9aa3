"""What a run asks of a broker: topics, records in, progress, results out. The same client speaks to both brokers."""

import time

from confluent_kafka import Consumer, IsolationLevel, KafkaError, OFFSET_BEGINNING, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic, OffsetSpec

PATIENCE_S = 30


class Cluster:
    def __init__(self, bootstrap):
        self.settings = {"bootstrap.servers": bootstrap, "log_level": 0}
        self.admin = AdminClient(self.settings)

    def create(self, topics, partitions):
        for future in self.admin.create_topics([NewTopic(topic, partitions, 1) for topic in topics]).values():
            future.result(PATIENCE_S)
        for topic in topics:
            # Apache Kafka answers before its partitions are there.
            while len(self.admin.list_topics(topic, PATIENCE_S).topics[topic].partitions) < partitions:
                time.sleep(0.1)

    def write(self, prefix, records):
        producer = Producer(self.settings | {"enable.idempotence": True, "linger.ms": 20})
        for topic, partition, key, value, timestamp in records:
            producer.produce(f"{prefix}-{topic}", value, key, partition, timestamp=timestamp)
            producer.poll(0)
        if producer.flush(PATIENCE_S) > 0:
            raise RuntimeError("not all of the input could be written")

    def ends(self, topic, partitions):
        """The ends of the partitions, of all that is written, whether committed or not."""
        asked = {TopicPartition(topic, number): OffsetSpec.latest() for number in range(partitions)}
        found = self.admin.list_offsets(asked, isolation_level=IsolationLevel.READ_UNCOMMITTED, request_timeout=PATIENCE_S)
        return {each.partition: future.result().offset for each, future in found.items()}

    def members(self, group):
        future = self.admin.describe_consumer_groups([group], request_timeout=PATIENCE_S)[group]
        return len(future.result().members)

    def committed(self, group, topic, partitions):
        """What the group has committed, by partition; 0 where it has not."""
        consumer = Consumer(self.settings | {"group.id": group, "enable.auto.commit": False, "isolation.level": "read_committed"})
        found = consumer.committed([TopicPartition(topic, number) for number in range(partitions)], PATIENCE_S)
        consumer.close()
        return {each.partition: max(0, each.offset) for each in found}

    def reader(self, topic, partitions):
        return Reader(self.settings, topic, partitions)


class Reader:
    """Reads what is committed from the beginning on, and keeps it."""

    def __init__(self, settings, topic, partitions):
        self.consumer = Consumer(settings | {
            "group.id": "reader", "enable.auto.commit": False, "enable.partition.eof": True, "isolation.level": "read_committed",
        })
        self.consumer.assign([TopicPartition(topic, number, OFFSET_BEGINNING) for number in range(partitions)])
        self.found = []
        self.at_end = set()
        self.partitions = partitions

    def read(self, wait_s):
        for message in self.consumer.consume(10_000, wait_s):
            if message.error() is None:
                self.found.append((message.key().decode(), message.value().decode()))
                self.at_end.discard(message.partition())
            elif message.error().code() == KafkaError._PARTITION_EOF:
                self.at_end.add(message.partition())
            elif not message.error().retriable():
                raise RuntimeError(f"the results cannot be read: {message.error()}")

    def read_to_end(self):
        end = time.monotonic() + PATIENCE_S
        while len(self.at_end) < self.partitions:
            self.read(0.1)
            if time.monotonic() > end:
                raise RuntimeError("the results have no end")
        return self.found

    def close(self):
        self.consumer.close()
