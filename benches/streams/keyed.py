"""Records with keys, by a fixed rule: a hundred busy keys have half of them, and their times rise."""

import random
import struct
import time

KEYS, BUSY_KEYS = 10_000, 100
RECORDS_OF_A_MILLISECOND = 10
# All of it lies in the past, and in no window that Apache Kafka would have forgotten.
BEGIN_MS = (int(time.time()) - 3_600) * 1_000
VALUE_HEAD = struct.Struct(">q")
KEY_BYTES = 8


def records(count, value_bytes):
    """Key, value and time of each."""
    filling = b"v" * (value_bytes - VALUE_HEAD.size)
    every = [key.to_bytes(KEY_BYTES, "big") for key in range(KEYS)]
    drawn = random.Random(1).choices(every + every[:BUSY_KEYS] * (KEYS // BUSY_KEYS), k=count)
    for number, key in enumerate(drawn):
        yield key, VALUE_HEAD.pack(number) + filling, BEGIN_MS + number // RECORDS_OF_A_MILLISECOND


def table():
    """What a table holds for nine of ten keys, before all records."""
    return {key.to_bytes(KEY_BYTES, "big"): b"of key %d: " % key for key in range(KEYS) if key % 10}
