"""What a measurement asks of a broker: topics, records in, offsets, results out. The same client speaks to both."""

import time

from confluent_kafka import Consumer, KafkaError, OFFSET_BEGINNING, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

from programs import INPUT, OUTPUT, TABLE

PATIENCE_S = 30
SETTINGS = {"retention.ms": "-1"}
SETTINGS_OF_A_TABLE = {"cleanup.policy": "compact"}


class Cluster:
    def __init__(self, bootstrap, partitions, group):
        # It would tell of each connection that ends with its broker.
        self.settings = {"bootstrap.servers": bootstrap, "log_level": 0}
        self.partitions = partitions
        self.watcher = Consumer(self.settings | {"group.id": group, "enable.auto.commit": False})

    def create_topics(self):
        admin = AdminClient(self.settings)
        topics = {INPUT: SETTINGS, TABLE: SETTINGS_OF_A_TABLE, OUTPUT: SETTINGS}
        made = admin.create_topics([NewTopic(topic, self.partitions, 1, config=of) for topic, of in topics.items()])
        for future in made.values():
            future.result(PATIENCE_S)
        # Apache Kafka answers before its partitions are there.
        for topic in topics:
            while len(self.watcher.list_topics(topic, PATIENCE_S).topics[topic].partitions) < self.partitions:
                time.sleep(0.1)

    def write(self, records):
        """Writes records; those with a key go where a Java producer sends them."""
        batches = {"linger.ms": 50, "batch.size": 131_072, "queue.buffering.max.messages": 200_000}
        producer = Producer(self.settings | batches | {"partitioner": "murmur2_random"})
        for number, record in enumerate(records):
            producer.produce(**record)
            while number % 1_000 == 0 and len(producer) > 100_000:
                producer.poll(0.1)
        if producer.flush(PATIENCE_S) > 0:
            raise SystemExit("not all records could be written")

    def partitions_of(self, topic):
        return [TopicPartition(topic, number) for number in range(self.partitions)]

    def committed(self, topic):
        """What the application has committed, all partitions together."""
        return sum(max(0, found.offset) for found in self.watcher.committed(self.partitions_of(topic), PATIENCE_S))

    def end(self, topic):
        return sum(self.watcher.get_watermark_offsets(each, PATIENCE_S)[1] for each in self.partitions_of(topic))

    def results(self, fold):
        """What the results are once folded by their keys, and how many there are."""
        reader = Consumer(self.settings | {"group.id": "reader", "enable.auto.commit": False, "enable.partition.eof": True})
        reader.assign([TopicPartition(OUTPUT, number, OFFSET_BEGINNING) for number in range(self.partitions)])
        results, ended, records = {}, 0, 0
        while ended < self.partitions:
            for message in reader.consume(10_000, PATIENCE_S):
                if message.error() is None:
                    fold(results, message.key(), message.value())
                    records += 1
                elif message.error().code() == KafkaError._PARTITION_EOF:
                    ended += 1
                else:
                    raise SystemExit(f"the results cannot be read: {message.error()}")
        reader.close()
        return results, records
