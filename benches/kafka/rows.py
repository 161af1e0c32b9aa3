"""The rows of the comparison. Each yields results: what was measured, on each side, round by round."""

import contextlib
import dataclasses
import time

import sync
import tools
import wire
from brokers import Broker, Kafka, Mainstem, Unsynced

SETTLE_S = 2  # what a broker still does after the last answer belongs to the load: os topics sync within a second
PARTITIONS = 6
RECORDS_OF_A_TRANSACTION = 50


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

    def sides(self, row, partitions, *durabilities):
        """A topic on Kafka and, for each durability, one on Mainstem."""
        kafka, mainstem = self.start(Kafka, Mainstem)
        sides = [Side("kafka", kafka, row)] + [Side(each, mainstem, f"{row}-{each}") for each in durabilities]
        for side in sides:
            side.broker.topic(side.topic, partitions, side.name)
        return sides

    def in_turn(self, sides, measure):
        """A B A B: per side, what each round measured, column by column, after one round that does not count."""
        for side in sides:
            measure(side, warm_up=True)
        taken = {side.name: [] for side in sides}
        for _ in range(self.rounds):
            for side in sides:
                taken[side.name].append(measure(side, warm_up=False))
        return {name: list(zip(*rows)) for name, rows in taken.items()}


@dataclasses.dataclass
class Side:
    """A topic that is measured: `kafka`, or Mainstem's with the durability `os` or `fsync`."""
    name: str
    broker: Broker
    topic: str


def spent(broker, work):
    """CPU seconds of the broker for the work, and what the work returned."""
    before = broker.cpu()
    result = work()
    time.sleep(SETTLE_S)
    return broker.cpu() - before, result


def produce(scene, row, size, records, load, **settings):
    sides = scene.sides(row, PARTITIONS, "os", "fsync")

    def measure(side, warm_up):
        count = records // 4 if warm_up else records
        cpu, (reached, _) = spent(side.broker, lambda: tools.produce(side.broker, side.topic, count, size, **settings))
        return cpu / count * 1e6, reached

    kafka, *ours = scene.in_turn(sides, measure).items()
    for durability, (cpu, reached) in ours:
        goal = 1 / 5 if durability == "os" else None
        yield Result(row, f"produce {load}, {durability}, broker CPU per million records", "s", kafka[1][0], cpu, goal)
        yield Result(row, f"produce {load}, {durability}, what the tool reaches", "records/s", kafka[1][1], reached)


def fetch(scene, row, size, records):
    sides = scene.sides(row, PARTITIONS, "os")
    for side in sides:
        tools.produce(side.broker, side.topic, records, size)

    def measure(side, warm_up):
        count = records // 4 if warm_up else records
        cpu, reached = spent(side.broker, lambda: tools.consume(side.broker, side.topic, count))
        return cpu / count * 1e6, reached

    taken = scene.in_turn(sides, measure)
    yield Result(row, f"fetch {size} B, broker CPU per million records", "s", taken["kafka"][0], taken["os"][0], 1 / 5)
    yield Result(row, f"fetch {size} B, what the tool reaches", "records/s", taken["kafka"][1], taken["os"][1])


def throughput(scene, row, partitions, records):
    """Durable by default against Kafka that does not sync."""
    sides = scene.sides(row, partitions, "fsync", "os")
    syncs = []

    def measure(side, warm_up):
        if side.name == "fsync" and not warm_up:
            syncs.append(sync.micros(side.broker.folder)[0] / 1000)
        count = records // 3 if warm_up else records
        return tools.produce(side.broker, side.topic, count, 1024, batch_size=128 << 10, linger_ms=5)

    taken = scene.in_turn(sides, measure)
    for durability, goal in [("fsync", 0.8), ("os", None)]:
        load = f"produce 1 KiB, acks=all, partitions: {partitions}, {durability}"
        yield Result(row, load, "records/s", taken["kafka"][0], taken[durability][0], goal, at_least=True)
        yield Result(row, f"{load}, 99 % at full load", "ms", taken["kafka"][1], taken[durability][1])
    yield Result(row, "a sync of 4 KiB in the same run", "ms", [], syncs, absolute=True)


def transactions(scene, row, partitions, producers):
    """The same records of a transaction over one partition or over many."""
    brokers = scene.start(Kafka, Unsynced, Mainstem)
    sides = [Side(name, broker, row) for name, broker in zip(("kafka", "os", "fsync"), brokers)]
    for side in sides:
        side.broker.topic(side.topic, partitions, side.name)

    def measure(side, warm_up):
        seconds = scene.size((2, 5), (1, 3))
        work = lambda: tools.transactions(side.broker, row, partitions, producers, RECORDS_OF_A_TRANSACTION, 100, *seconds)
        cpu, (rate, middle, late, count) = spent(side.broker, work)
        return rate, middle, late, cpu / count * 1e3

    taken = scene.in_turn(sides, measure)
    load = f"transactions of {RECORDS_OF_A_TRANSACTION} records over {partitions} partition(s), {producers} producer(s)"
    units = [("commits/s", ""), ("µs", ", p50 of a commit"), ("µs", ", p99 of a commit"), ("s", ", broker CPU per 1,000")]
    for durability in ("os", "fsync"):
        for at, (unit, what) in enumerate(units):
            yield Result(row, f"{load}, {durability}{what}", unit, taken["kafka"][at], taken[durability][at])


def latency(scene, row):
    sides = scene.sides(row, 1, "os")
    records, warm_up_records = scene.size((10_000, 20_000), (500, 100))

    def measure(side, warm_up):
        return tools.round_trip(side.broker, side.topic, 1000 if warm_up else records, warm_up_records, 100)

    taken = scene.in_turn(sides, measure)
    for at, (percentile, limit) in enumerate([("p50", 1 / 2), ("p99", 1 / 5), ("p99.9", 1 / 5)]):
        yield Result(row, f"one record there and back, os, {percentile}", "µs", taken["kafka"][at], taken["os"][at], limit)


def latency_fsync(scene, row, syncs_allowed, load=0):
    """What a round trip takes beyond the syncs that it may wait for, which are measured in the same round."""
    (broker,) = scene.start(Mainstem)
    broker.topic(row, 1, "fsync")
    broker.topic("load", PARTITIONS, "fsync")
    records, warm_up_records = scene.size((3_000, 10_000), (200, 100))
    rounds = []

    def measure():
        limit = sync.micros(broker.folder, scene.size(2_000, 200))
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
    records = scene.size(300_000, 20_000)

    def measure(kind):
        (broker,) = scene.start(kind)
        broker.end()  # the first start of Kafka also formats its storage
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
        kafka, mainstem = ([measured[at] for measured in taken[name]] for name in ("kafka", "mainstem"))
        yield Result(row, what, unit, kafka, mainstem, limit, absolute=True)


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
    "produce-100": lambda scene: produce(scene, "produce-100", 100, scene.size(1_000_000, 50_000), "100 B"),
    "produce-1024": lambda scene: produce(scene, "produce-1024", 1024, scene.size(300_000, 20_000), "1 KiB"),
    "produce-paced": lambda scene: produce(scene, "produce-paced", 1024, scene.size(60_000, 10_000),
                                           "1 KiB at 10,000/s, linger.ms=0", rate=10_000, linger_ms=0),
    "throughput-1": lambda scene: throughput(scene, "throughput-1", 1, scene.size(300_000, 20_000)),
    "throughput-100": lambda scene: throughput(scene, "throughput-100", 100, scene.size(300_000, 20_000)),
    "fetch-100": lambda scene: fetch(scene, "fetch-100", 100, scene.size(4_000_000, 50_000)),
    "fetch-1024": lambda scene: fetch(scene, "fetch-1024", 1024, scene.size(1_000_000, 20_000)),
    "transactions-1": lambda scene: transactions(scene, "transactions-1", 1, 1),
    "transactions-50": lambda scene: transactions(scene, "transactions-50", 50, 1),
    "transactions-1-by-10": lambda scene: transactions(scene, "transactions-1-by-10", 1, 10),
    "transactions-50-by-10": lambda scene: transactions(scene, "transactions-50-by-10", 50, 10),
    "latency": lambda scene: latency(scene, "latency"),
    "latency-fsync": lambda scene: latency_fsync(scene, "latency-fsync", 1),
    "latency-fsync-loaded": lambda scene: latency_fsync(scene, "latency-fsync-loaded", 2, scene.size(15_000, 1_000)),
    "start": lambda scene: start(scene, "start"),
    "recovery": lambda scene: recovery(scene, "recovery"),
}
