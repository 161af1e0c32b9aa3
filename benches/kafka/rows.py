"""The rows of the comparison. Each yields results: what was measured, on each side, round by round."""

import contextlib
import dataclasses
import time

import sync
import tools
import wire
from brokers import Kafka, Mainstem

SETTLE_S = 2  # what a broker still does after the last answer belongs to the load: os topics sync within a second
PARTITIONS = 6


@dataclasses.dataclass
class Result:
    """One line of the table. `limit` is the first goal, where there is one: for the ratio Mainstem to Kafka, or absolute where `absolute`."""
    row: str
    what: str
    unit: str
    kafka: list
    mainstem: list
    limit: float | None = None
    at_least: bool = False
    absolute: bool = False


class Scene:
    """A run of one row: its brokers, which stop with it, and how much is to be measured."""

    def __init__(self, rounds, quick):
        self.rounds, self.quick, self.started = rounds, quick, []

    def size(self, full, quick):
        return quick if self.quick else full

    def start(self, *kinds):
        brokers = [kind() for kind in kinds]
        self.started += brokers
        for broker in brokers:
            broker.start()
        return brokers

    def close(self):
        for broker in self.started:
            broker.stop()

    def in_turn(self, brokers, measure):
        """A B A B: per broker what each round measured, after one round that does not count."""
        for broker in brokers:
            measure(broker, warm_up=True)
        taken = {broker.name: [] for broker in brokers}
        for _ in range(self.rounds):
            for broker in brokers:
                taken[broker.name].append(measure(broker, warm_up=False))
        return taken


def spent(broker, work):
    """CPU seconds of the broker for the work, and what the work returned."""
    before = broker.cpu()
    result = work()
    time.sleep(SETTLE_S)
    return broker.cpu() - before, result


def column(rows, at):
    return [row[at] for row in rows]


def both(scene, topic, partitions, durability):
    brokers = scene.start(Kafka, Mainstem)
    for broker in brokers:
        broker.topic(topic, partitions, durability)
    return brokers


def produce(scene, row, size, records):
    brokers = both(scene, row, PARTITIONS, "os")

    def measure(broker, warm_up):
        count = records // 4 if warm_up else records
        cpu, (rate, _) = spent(broker, lambda: tools.produce(broker, row, count, size))
        return cpu / count * 1e6, rate

    taken = scene.in_turn(brokers, measure)
    yield Result(row, f"produce {size} B, broker CPU per million records", "s", column(taken["kafka"], 0),
                 column(taken["mainstem"], 0), 1 / 5)
    yield Result(row, f"produce {size} B, what the tool reaches", "records/s", column(taken["kafka"], 1),
                 column(taken["mainstem"], 1))


def fetch(scene, row, size, records):
    brokers = both(scene, row, PARTITIONS, "os")
    for broker in brokers:
        tools.produce(broker, row, records, size)

    def measure(broker, warm_up):
        count = records // 4 if warm_up else records
        cpu, rate = spent(broker, lambda: tools.consume(broker, row, count))
        return cpu / count * 1e6, rate

    taken = scene.in_turn(brokers, measure)
    yield Result(row, f"fetch {size} B, broker CPU per million records", "s", column(taken["kafka"], 0),
                 column(taken["mainstem"], 0), 1 / 5)


def throughput(scene, row, partitions, records):
    """Durable by default against Kafka that does not sync."""
    brokers = both(scene, row, partitions, "fsync")
    syncs = []

    def measure(broker, warm_up):
        if not warm_up:
            syncs.append(sync.micros(broker.folder)[0] / 1000)
        count = records // 3 if warm_up else records
        return tools.produce(broker, row, count, 1024, batch_size=128 << 10, linger_ms=5)

    taken = scene.in_turn(brokers, measure)
    yield Result(row, f"produce 1 KiB acks=all, fsync against none, {partitions} partitions", "records/s",
                 column(taken["kafka"], 0), column(taken["mainstem"], 0), 0.8, at_least=True)
    yield Result(row, "its latency at full load, 99 %", "ms", column(taken["kafka"], 1), column(taken["mainstem"], 1))
    yield Result(row, "a sync of 4 KiB in the same run", "ms", [], syncs, absolute=True)


def latency(scene, row):
    brokers = both(scene, row, 1, "os")
    records, warm_up_records = scene.size((10_000, 5_000), (500, 100))

    def measure(broker, warm_up):
        return tools.round_trip(broker, row, 1000 if warm_up else records, warm_up_records, 100)

    taken = scene.in_turn(brokers, measure)
    for at, (percentile, limit) in enumerate([("p50", 1 / 2), ("p99", 1 / 5), ("p99.9", 1 / 5)]):
        yield Result(row, f"one record there and back, os, {percentile}", "µs", column(taken["kafka"], at),
                     column(taken["mainstem"], at), limit)


def latency_fsync(scene, row, syncs_allowed, load=0):
    """What a round trip takes beyond the syncs that it may wait for, which are measured in the same round."""
    (broker,) = scene.start(Mainstem)
    broker.topic(row, 1, "fsync")
    broker.topic("load", PARTITIONS, "fsync")
    records, warm_up_records = scene.size((3_000, 2_000), (200, 100))
    rounds = []

    def measure():
        limit = sync.micros(broker.folder)
        with tools.background(broker, "load", 1024, load) if load else contextlib.nullcontext():
            trip = tools.round_trip(broker, row, records, warm_up_records, 100)
        rounds.append((limit, trip))

    for _ in range(scene.rounds):
        measure()
    told = f"half loaded ({load} records of 1 KiB a second)" if load else "idle"
    for at, percentile in enumerate(["p50", "p99", "p99.9"]):
        trips, limits = [trip[at] for _, trip in rounds], [limit[at] for limit, _ in rounds]
        yield Result(row, f"one record there and back, fsync, {told}, {percentile}", "µs", [], trips, absolute=True)
        yield Result(row, f"a sync of 4 KiB alone, {percentile}", "µs", [], limits, absolute=True)
        over = [trip - syncs_allowed * limit for trip, limit in zip(trips, limits)]
        yield Result(row, f"beyond {syncs_allowed} sync(s), {percentile}", "µs", [], over, 1000, absolute=True)


def start(scene, row):
    """First answer after a start, resident memory idle and after a load of 1 KiB."""
    records = scene.size(500_000, 20_000)

    def measure(kind):
        (broker,) = scene.start(kind)
        broker.end()  # a first start of Kafka also formats its storage
        first = broker.start() * 1000
        time.sleep(3)
        idle = broker.resident()
        broker.topic(row, PARTITIONS, "os")
        tools.produce(broker, row, records, 1024)
        tools.consume(broker, row, records)
        loaded = broker.resident()
        broker.stop()
        return first, idle, loaded

    taken = {"kafka": [], "mainstem": []}
    for _ in range(scene.rounds):
        for kind in (Kafka, Mainstem):
            taken[kind.name].append(measure(kind))
    parts = [("first answer after a start", "ms", 100), ("resident, idle", "MiB", 30), ("resident, after the load", "MiB", 150)]
    for at, (what, unit, limit) in enumerate(parts):
        yield Result(row, what, unit, column(taken["kafka"], at), column(taken["mainstem"], at), limit, absolute=True)


def recovery(scene, row):
    """From the start after a kill -9 under load until each of the partitions has a leader again."""
    partitions, records = scene.size((5_000, 200_000), (200, 10_000))
    brokers = scene.start(Kafka, Mainstem)
    settings = dict(partitioner_class="org.apache.kafka.clients.producer.RoundRobinPartitioner", buffer_memory=256 << 20,
                    enable_idempotence="false")
    taken = {"kafka": [], "mainstem": []}
    for broker in brokers:
        broker.topic(row, partitions, "fsync")
        tools.produce(broker, row, records, 100, **settings)
    for _ in range(scene.rounds):
        for broker in brokers:
            taken[broker.name].append(killed(broker, row, partitions, settings))
    yield Result(row, f"recovery after kill -9, {partitions} partitions", "s", taken["kafka"], taken["mainstem"], 3, absolute=True)


def killed(broker, topic, partitions, settings):
    with tools.background(broker, topic, 100, 20_000, **settings):
        broker.kill()
    begin = time.monotonic()
    broker.start()
    broker.wait(lambda: wire.led(broker.port, topic) == partitions)
    return time.monotonic() - begin


ROWS = {
    "produce-100": lambda scene: produce(scene, "produce-100", 100, scene.size(2_000_000, 50_000)),
    "produce-1024": lambda scene: produce(scene, "produce-1024", 1024, scene.size(500_000, 20_000)),
    "throughput-1": lambda scene: throughput(scene, "throughput-1", 1, scene.size(300_000, 20_000)),
    "throughput-100": lambda scene: throughput(scene, "throughput-100", 100, scene.size(300_000, 20_000)),
    "fetch-100": lambda scene: fetch(scene, "fetch-100", 100, scene.size(4_000_000, 50_000)),
    "fetch-1024": lambda scene: fetch(scene, "fetch-1024", 1024, scene.size(1_000_000, 20_000)),
    "latency": lambda scene: latency(scene, "latency"),
    "latency-fsync": lambda scene: latency_fsync(scene, "latency-fsync", 1),
    "latency-fsync-loaded": lambda scene: latency_fsync(scene, "latency-fsync-loaded", 2, scene.size(15_000, 1_000)),
    "start": lambda scene: start(scene, "start"),
    "recovery": lambda scene: recovery(scene, "recovery"),
}
