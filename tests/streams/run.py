"""One run of an application with what happens to it on the way."""

import dataclasses
import pathlib
import random
import time

import join
import words
from cluster import Cluster
from instance import Instance

KINDS = {"words": words, "join": join}
PARTITIONS = 4
# The input is written in so many pieces, each when the one before is done: one side of a join is never further ahead.
PIECES = 6
LIMIT_S = 240
# So short that those who died are soon missed; both brokers are started so that they allow it.
SETTINGS = {
    "session.timeout.ms": 3000,
    "heartbeat.interval.ms": 500,
    "producer.transaction.timeout.ms": 4000,
    # Small rounds, so that what happens finds work half done.
    "max.poll.records": 200,
    # Results of closed windows come at once, not once a second of the clock's time.
    "__emit.interval.ms.kstreams.outer.join.spurious.results.fix__": 0,
}


@dataclasses.dataclass
class Outcome:
    complaints: list
    answer: dict
    # How often a process found that it was replaced, as its own log has it.
    replaced: int


@dataclasses.dataclass
class Run:
    name: str
    kind: str
    # What happens, to an instance each: "kill", "wipe" (a kill that loses the state too), "pause" (until it is replaced).
    events: tuple
    instances: int = 1
    settings: dict = dataclasses.field(default_factory=dict)

    def play(self, bootstrap, folder, seed):
        """Runs it, and returns what is wrong with the results."""
        self.kind_of, self.bootstrap, self.folder = KINDS[self.kind], bootstrap, pathlib.Path(folder) / self.name
        self.random, self.cluster = random.Random(f"{seed} {self.name}"), Cluster(bootstrap)
        self.deadline = time.monotonic() + LIMIT_S
        self.cluster.create([f"{self.name}-{topic}" for topic in (*self.kind_of.INPUTS, "results")], PARTITIONS)
        self.reader = self.cluster.reader(f"{self.name}-results", PARTITIONS)
        self.running = [self.instance(number) for number in range(self.instances)]
        try:
            return self.watched()
        finally:
            self.reader.close()
            for instance in self.running:
                instance.end()

    def instance(self, number):
        folder = self.folder / str(number)
        # Who is alone comes back under its own name (KIP-345), and finds its transaction open.
        static = {"group.instance.id": "alone"} if self.instances == 1 else {}
        return Instance(folder, self.kind, self.bootstrap, self.name, SETTINGS | static | self.settings)

    def watched(self):
        # Full hours, and lately: no retention takes what windows keep.
        begin = (int(time.time()) // 3600 - 1) * 3_600_000
        records = list(self.kind_of.records(self.random, PARTITIONS, begin))
        closing = self.kind_of.closing(PARTITIONS, begin)
        answer = self.kind_of.expected(records + closing)
        for instance in self.running:
            instance.start()
        self.disturbed(records, self.kind_of.results(answer))
        self.cluster.write(self.name, closing)
        self.until(lambda: self.committed() >= self.kind_of.results(answer), "the last result")
        for instance in self.running:
            instance.stop()
        found = self.results()
        return Outcome(self.kind_of.wrong(found, answer) + self.unread(), self.kind_of.fold(found), self.replaced())

    def results(self):
        """Everything that was ever committed, read anew: the last things are written while the instances stop."""
        reader = self.cluster.reader(f"{self.name}-results", PARTITIONS)
        try:
            return reader.read_to_end()
        finally:
            reader.close()

    def disturbed(self, records, results):
        """Writes the input piece by piece; in the midst of some of them something happens."""
        size, events = -(-len(records) // PIECES), self.placed()
        for number in range(PIECES):
            self.until(lambda: all(instance.works() for instance in self.running), "work for all")
            # The first piece of a join has the fewest results: few of its events have their partners yet.
            point = self.written() + self.random.randrange(1, results // PIECES // 6)
            self.cluster.write(self.name, records[number * size:(number + 1) * size])
            if number in events:
                self.until(lambda: self.written() >= point, f"{point} results")
                getattr(self, events[number])(self.random.choice(self.running))
            self.until(lambda: not self.unread(), "the end of what is written")

    def placed(self):
        """Which event happens while which piece is worked on."""
        return dict(zip(sorted(self.random.sample(range(PIECES), len(self.events))), self.events))

    def kill(self, instance):
        instance.kill()
        instance.start()

    def wipe(self, instance):
        instance.kill()
        instance.wipe()
        instance.start()

    def pause(self, instance):
        """Until the group goes on without it: what it then writes comes from one who was replaced."""
        instance.pause()
        try:
            self.until(lambda: self.cluster.members(self.name) < self.instances, "a group without the paused")
        finally:
            instance.resume()
        self.until(lambda: self.cluster.members(self.name) == self.instances, "a group with the resumed")

    def written(self):
        """Results that are in the log, those of open and of aborted transactions too."""
        return sum(self.cluster.ends(f"{self.name}-results", PARTITIONS).values())

    def committed(self):
        self.reader.read(0.1)
        return len(self.reader.found)

    def unread(self):
        """Complaints if the offsets that are committed are not the ends of the input."""
        complaints = []
        for topic in (f"{self.name}-{topic}" for topic in self.kind_of.INPUTS):
            ends, read = self.cluster.ends(topic, PARTITIONS), self.cluster.committed(self.name, topic, PARTITIONS)
            complaints += [f"{topic}: committed {read}, its ends are {ends}"] if read != ends else []
        return complaints

    def replaced(self):
        """By its group's coordinator (its partitions are lost) or by its transaction's (it is fenced): whichever it asked first."""
        logs = [instance.log() for instance in self.running]
        return sum(log.count("thread is being fenced") + log.count("partitions lost took") for log in logs)

    def until(self, condition, what):
        while not condition():
            for instance in self.running:
                instance.check()
            if time.monotonic() > self.deadline:
                raise RuntimeError(f"{what} did not come within {LIMIT_S} s: {self.progress()}")
            time.sleep(0.01)

    def progress(self):
        logs = "\n".join(instance.log()[-1500:] for instance in self.running)
        return f"{self.written()} results are written, {self.committed()} committed; {self.unread()}\n{logs}"
