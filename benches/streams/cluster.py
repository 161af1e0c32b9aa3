"""What a measurement asks of a broker: topics, lines in, offsets, counts out. The same client speaks to both."""

import time

from confluent_kafka import Consumer, KafkaError, OFFSET_BEGINNING, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

import text

LINES, COUNTS, NAME = "lines", "word-counts", "word-count"
REPARTITION = f"{NAME}-counts-repartition"
PATIENCE_S = 30


class Cluster:
    def __init__(self, bootstrap, partitions):
        # It would tell of each connection that ends with its broker.
        self.settings = {"bootstrap.servers": bootstrap, "log_level": 0}
        self.partitions = partitions
        self.watcher = Consumer(self.settings | {"group.id": NAME, "enable.auto.commit": False})

    def create_topics(self):
        admin = AdminClient(self.settings)
        made = admin.create_topics([NewTopic(topic, self.partitions, 1) for topic in (LINES, COUNTS)])
        for future in made.values():
            future.result(PATIENCE_S)
        # Apache Kafka answers before its partitions are there.
        while len(self.watcher.list_topics(LINES, PATIENCE_S).topics[LINES].partitions) < self.partitions:
            time.sleep(0.1)

    def write(self, copies):
        """Writes the lines, in turn to the partitions."""
        producer = Producer(self.settings | {"linger.ms": 50, "batch.size": 131_072, "queue.buffering.max.messages": 200_000})
        for copy in range(copies):
            for number, line in enumerate(text.lines()):
                producer.produce(LINES, line, partition=number % self.partitions)
            while len(producer) > 100_000:
                producer.poll(0.1)
        if producer.flush(PATIENCE_S) > 0:
            raise SystemExit("not all lines could be written")

    def partitions_of(self, topic):
        return [TopicPartition(topic, number) for number in range(self.partitions)]

    def committed(self, topic):
        """What the application has committed, all partitions together."""
        return sum(max(0, found.offset) for found in self.watcher.committed(self.partitions_of(topic), PATIENCE_S))

    def end(self, topic):
        return sum(self.watcher.get_watermark_offsets(each, PATIENCE_S)[1] for each in self.partitions_of(topic))

    def counts(self):
        """The last count of each word, and how many records the topic has."""
        reader = Consumer(self.settings | {"group.id": "reader", "enable.auto.commit": False, "enable.partition.eof": True})
        reader.assign([TopicPartition(COUNTS, number, OFFSET_BEGINNING) for number in range(self.partitions)])
        counts, ended, records = {}, 0, 0
        while ended < self.partitions:
            for message in reader.consume(10_000, PATIENCE_S):
                if message.error() is None:
                    counts[message.key().decode()] = int.from_bytes(message.value(), "big")
                    records += 1
                elif message.error().code() == KafkaError._PARTITION_EOF:
                    ended += 1
                else:
                    raise SystemExit(f"the counts cannot be read: {message.error()}")
        reader.close()
        return counts, records
