"""One measurement of one side: lines in, application started, CPU time taken from its first words to its last."""

import dataclasses
import time

import text
from cluster import Cluster, LINES, REPARTITION

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
    words: int
    # Words per CPU second of broker and application: of all words, and of those behind the middle.
    rate: float
    late_rate: float
    # CPU seconds of broker and application, or of both in one process.
    cpu: list
    seconds: float
    # The most resident memory of the same, MiB.
    memory: list
    # Records that were written to the topic of counts.
    results: int


def measure(side, options):
    copies = text.copies(options.words)
    try:
        bootstrap = side.broker()
        cluster = Cluster(bootstrap, options.partitions)
        cluster.create_topics()
        cluster.write(copies)
        # What a broker still does with the lines belongs to them.
        time.sleep(2)
        side.application(bootstrap)
        moments = watch(side, cluster, copies)
        memory = side.resident()
        counts, results = cluster.counts()
        compare(side, counts, text.expected(copies))
    finally:
        side.stop()
    return summary(side.name, copies * text.counts().total(), moments, memory, results)


def watch(side, cluster, copies):
    """The moments at which the work has begun, is half done, and is done."""
    lines, words = len(text.lines()) * copies, text.counts().total() * copies
    begin, wanted, moments = time.monotonic(), [BEGUN, 0.5], []
    while True:
        side.check()
        split, counted = cluster.committed(LINES), cluster.committed(REPARTITION)
        # Both halves of the work: lines that were split, words that were counted.
        moment = Moment((split / lines + min(1, counted / words)) / 2, time.monotonic(), side.cpu())
        if wanted and moment.done >= wanted[0]:
            wanted.pop(0)
            moments.append(moment)
        if split >= lines and counted >= words and counted == cluster.end(REPARTITION):
            return [*moments, dataclasses.replace(moment, done=1)]
        if time.monotonic() > begin + LIMIT_S:
            raise SystemExit(f"{side.name}: after {LIMIT_S} s {split} of {lines} lines and {counted} of {words} words are done")
        time.sleep(LOOK_EVERY_S)


def compare(side, found, expected):
    if found != expected:
        wrong = [word for word in expected.keys() | found.keys() if found.get(word) != expected.get(word)]
        show = ", ".join(f"{word!r}: {found.get(word)} for {expected.get(word)}" for word in sorted(wrong)[:5])
        raise SystemExit(f"{side.name}: {len(wrong)} of {len(expected)} words are miscounted: {show}")


def summary(side, words, moments, memory, results):
    first, middle, last = moments[0], moments[-2], moments[-1]
    cpu = [after - before for before, after in zip(first.cpu, last.cpu)]
    return Measurement(side, words, rate(words, first, last), rate(words, middle, last), cpu, last.at - first.at, memory, results)


def rate(words, before, after):
    return words * (after.done - before.done) / (sum(after.cpu) - sum(before.cpu))
