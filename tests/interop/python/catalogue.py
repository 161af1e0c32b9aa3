"""The matrix: which clients there are, what is asked of each, and what a client cannot do."""

CLASSIC = "classic group: "
CONSUMER = "consumer group: "
LIFE = ["join", "leave", "crash", "restart"]
STATIC, REGEX, COOPERATIVE = "static member", "regex", "cooperative-sticky"
MIGRATION = "group of both protocols: migration"

# The tables of docs/clients.md, each with its columns: the heading there and the case's name.
TABLES = {
    "Records": {
        **{name: f"10,000 lines, {name}" for name in ("none", "gzip", "snappy", "lz4", "zstd")},
        "headers, nulls": "headers with duplicate keys, null keys and values",
        "1 MiB": "a record of 1 MiB",
    },
    "Groups": {
        **{name: CLASSIC + name for name in (*LIFE, STATIC, COOPERATIVE)},
        "by time": "offsets set by time",
    },
    "Groups of the new protocol": {
        **{name: CONSUMER + name for name in (*LIFE, STATIC, REGEX)},
        "migration": MIGRATION,
    },
    "Transactions": {
        name: f"transaction {name}" for name in ("committed", "aborted", "fenced", "timed out", "with offsets")
    },
    "Administration": {
        "topics": "topics created, described, deleted",
        "partitions": "partitions added",
        "settings": "settings altered",
        "groups": "groups listed, described, deleted",
        "offsets": "offsets deleted",
    },
}
CASES = [case for columns in TABLES.values() for case in columns.values()]

CLIENTS = {
    "java-3": "Java kafka-clients",
    "java-4": "Java kafka-clients",
    "confluent-kafka-old": "confluent-kafka",
    "confluent-kafka": "confluent-kafka",
    "kcat": "kcat",
    "franz-go": "franz-go",
    "sarama": "sarama",
    "kafka-go": "segmentio/kafka-go",
    "kafkajs": "KafkaJS",
    "kafka-python-2": "kafka-python",
    "kafka-python-3": "kafka-python",
    "aiokafka": "aiokafka",
    "mainstem": "Mainstem's own",
}

# Whose members may take a few records twice when partitions move in the new protocol, with Apache Kafka 4.2.1 as well.
REPEATING = {"java-3"}

# The API without which a broker cannot pass a case: the case is skipped where it is not advertised.
REQUIRES = {
    "partitions added": "CreatePartitions",
    "settings altered": "IncrementalAlterConfigs",
    "groups listed, described, deleted": "DeleteGroups",
    "offsets deleted": "OffsetDelete",
    "consumer group described": "ConsumerGroupDescribe",
    **{case: "TxnOffsetCommit" for case in TABLES["Transactions"].values()},
    **{case: "ConsumerGroupHeartbeat" for case in TABLES["Groups of the new protocol"].values()},
}

# Why a client has no such case.
_OF_CONSUMER_PROTOCOL = TABLES["Groups of the new protocol"].values()
_NO_CONSUMER_PROTOCOL = {case: "knows the classic protocol alone" for case in _OF_CONSUMER_PROTOCOL}
_NO_COOPERATIVE = {CLASSIC + COOPERATIVE: "has no cooperative assignor"}
_NO_STATIC = {CLASSIC + STATIC: "has no static members"}
_NO_TRANSACTIONS = {case: "has no transactional producer" for case in TABLES["Transactions"].values()}
_NO_OFFSET_DELETE = {"offsets deleted": "cannot delete a group's offsets"}
ABSENT = {
    "java-3": {CONSUMER + REGEX: "has no expressions that the broker evaluates"},
    "java-4": {},
    "confluent-kafka-old": {
        **{case: "has the new protocol as an early access, whose members do not share on Kafka 4 either"
           for case in _OF_CONSUMER_PROTOCOL},
        **_NO_OFFSET_DELETE,
    },
    "confluent-kafka": _NO_OFFSET_DELETE,
    "kcat": {
        **_NO_CONSUMER_PROTOCOL, **_NO_TRANSACTIONS,
        "offsets set by time": "looks an offset up by time, but sets no group's",
        **{case: "has no administration" for case in TABLES["Administration"].values()},
    },
    "franz-go": {CONSUMER + STATIC: "names no instance when it closes, which brokers take for leaving"},
    "sarama": {**_NO_CONSUMER_PROTOCOL, **_NO_COOPERATIVE},
    "kafka-go": {**_NO_CONSUMER_PROTOCOL, **_NO_TRANSACTIONS, **_NO_COOPERATIVE, **_NO_STATIC},
    "kafkajs": {**_NO_CONSUMER_PROTOCOL, **_NO_COOPERATIVE, **_NO_STATIC, **_NO_OFFSET_DELETE},
    "kafka-python-2": {**_NO_CONSUMER_PROTOCOL, **_NO_TRANSACTIONS, **_NO_COOPERATIVE, **_NO_STATIC, **_NO_OFFSET_DELETE},
    "kafka-python-3": _NO_CONSUMER_PROTOCOL,
    "aiokafka": {
        **_NO_CONSUMER_PROTOCOL, **_NO_COOPERATIVE, **_NO_OFFSET_DELETE,
        "groups listed, described, deleted": "lists and describes groups, but deletes none",
    },
    "mainstem": {
        **{case: "is a command line; tests/conformance tries the transactions of our library"
           for case in TABLES["Transactions"].values()},
        CONSUMER + REGEX: "is a command line that takes no expression; tests/conformance tries our library",
        **_NO_OFFSET_DELETE,
    },
}
