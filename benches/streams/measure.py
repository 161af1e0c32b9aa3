"""One measurement of one side: records in, application started, CPU time taken from its first records to its last."""

import dataclasses
import time

from cluster import Cluster

LOOK_EVERY_S = 0.05
LIMIT_S = 280
# Start-up is over once so much is done.
BEGUN = 0.01


@dataclasses.dataclass
class Moment:
    """How far the work is (0 to 1), when, and what it has cost each process until then."""

    done: float
    at: float
    cpu: list


@dataclasses.dataclass
class Measurement:
    side: str
    program: str
    # Of a value; what the word count reads are lines.
    bytes: int
    # Records, or words.
    units: int
    # Records per CPU second of broker and application: of all, and of those behind the middle.
    rate: float
    late_rate: float
    # CPU seconds of broker and application, or of both in one process.
    cpu: list
    seconds: float
    # The most resident memory of the same, MiB.
    memory: list
    # Records that were written to the topic of results.
    results: int


def measure(side, program, options):
    try:
        bootstrap = side.broker()
        cluster = Cluster(bootstrap, options.partitions, program.name)
        cluster.create_topics()
        cluster.write(program.records())
        # What a broker still does with the records belongs to them.
        time.sleep(2)
        side.application(bootstrap)
        moments = watch(side, cluster, program.stages)
        memory = side.resident()
        found, results = cluster.results(program.fold)
        compare(side, found, program.expected())
    finally:
        side.stop()
    return Measurement(side.name, program.name, options.bytes, program.units, *spent(program.units, moments), memory, results)


def watch(side, cluster, stages):
    """The moments at which the work has begun, is half done, and is done: a topic behind the other, each record of it."""
    begin, wanted, moments = time.monotonic(), [BEGUN, 0.5], []
    while True:
        side.check()
        reached = {topic: cluster.committed(topic) for topic in stages}
        shares = [min(1, reached[topic] / count) for topic, count in stages.items()]
        moment = Moment(sum(shares) / len(shares), time.monotonic(), side.cpu())
        if wanted and moment.done >= wanted[0]:
            wanted.pop(0)
            moments.append(moment)
        if moment.done == 1 and all(reached[topic] == cluster.end(topic) for topic in stages):
            return [*moments, moment]
        if time.monotonic() > begin + LIMIT_S:
            raise SystemExit(f"{side.name}: after {LIMIT_S} s {reached} of {stages} are done")
        time.sleep(LOOK_EVERY_S)


def compare(side, found, expected):
    if found != expected:
        wrong = [key for key in expected.keys() | found.keys() if found.get(key) != expected.get(key)]
        show = ", ".join(f"{key!r}: {found.get(key)} for {expected.get(key)}" for key in sorted(wrong)[:5])
        raise SystemExit(f"{side.name}: of {len(expected)} keys {len(wrong)} have a wrong result: {show}")


def spent(units, moments):
    """Both rates, CPU seconds and seconds."""
    first, middle, last = moments[0], moments[-2], moments[-1]
    cpu = [after - before for before, after in zip(first.cpu, last.cpu)]
    return rate(units, first, last), rate(units, middle, last), cpu, last.at - first.at


def rate(units, before, after):
    return units * (after.done - before.done) / (sum(after.cpu) - sum(before.cpu))
