"""Prepares the topic of transactions.rs: the values 0 to 9 committed, 10 to 19 aborted, 20 to 29 committed.

    transactions.py HOST:PORT TOPIC
"""

import sys

from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient, NewTopic

LIMIT_S = 30


def main():
    bootstrap, topic = sys.argv[1:]
    admin = AdminClient({"bootstrap.servers": bootstrap})
    admin.create_topics([NewTopic(topic, 1, 1)])[topic].result(LIMIT_S)
    producer = Producer({"bootstrap.servers": bootstrap, "transactional.id": topic})
    producer.init_transactions(LIMIT_S)
    for first, end in ((0, producer.commit_transaction), (10, producer.abort_transaction), (20, producer.commit_transaction)):
        producer.begin_transaction()
        for value in range(first, first + 10):
            producer.produce(topic, str(value), partition=0)
        producer.flush(LIMIT_S)  # what is aborted must have been written
        end(LIMIT_S)


if __name__ == "__main__":
    main()
