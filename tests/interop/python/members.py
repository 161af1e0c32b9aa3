"""The life of groups: members of one client, each a process, join, leave, crash and come back.

    members.py --client NAME --bootstrap HOST:PORT --tag TAG [--case WORD] -- COMMAND ARGUMENT...

The command starts one member: it gets `--bootstrap`, `--tag`, `--member TOPIC` and `--group NAME`, and may get `--kind
cooperative|consumer` (else the client's eager assignor), `--instance ID`, `--session MS` and `--regex yes` (TOPIC is an
expression then). It consumes from the start, writes `own P,P` at each change of its partitions and `row PARTITION OFFSET VALUE`
per record, and on SIGTERM commits what it has written, leaves, and ends. kcat and our command line are no programs of ours: here is
what stands for that. Records are fed, and groups looked at, by librdkafka.
"""

import argparse
import collections
import concurrent.futures
import contextlib
import os
import re
import signal
import subprocess
import sys
import threading
import time
import traceback

from confluent_kafka import ConsumerGroupTopicPartitions, Producer
from confluent_kafka.admin import AdminClient, NewTopic

from catalogue import ABSENT, CLASSIC, CONSUMER, COOPERATIVE, LIFE, MIGRATION, REGEX, REPEATING, STATIC
from result import Failed, lacking, same, tell, until

PARTITIONS = 4
ALL = set(range(PARTITIONS))
ROUND = 200  # records that are fed at a time
FEW, OFTEN_S = 20, 0.1  # and how many how often while records flow
SESSION_MS = 6000  # the least that brokers allow
STATIC_SESSION_MS = 30_000  # a restart fits into it on a machine that has much to do
AT_A_TIME = 3  # flows of one client: most of a flow is waiting


class Member:
    """One process; a thread reads what it says."""

    leave_signal = signal.SIGTERM

    def __init__(self, command):
        self.owned, self.owns, self.rows, self.said = set(), [], [], []
        self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.readers = [threading.Thread(target=self.read, args=(stream, take), daemon=True)
                        for stream, take in ((self.process.stdout, self.take), (self.process.stderr, self.note))]
        for reader in self.readers:
            reader.start()

    def read(self, stream, take):
        for line in stream:
            take(line.rstrip(b"\n"))

    def take(self, line):
        word, _, rest = line.partition(b" ")
        if word == b"own":
            self.own({int(partition) for partition in rest.split(b",") if partition})
        elif word == b"row":
            partition, offset, value = rest.split(b" ", 2)
            self.rows.append((int(partition), int(offset), value))

    def own(self, partitions):
        self.owns.append(partitions)
        self.owned = partitions

    def note(self, line):
        self.said.append(line)

    def check(self):
        if self.process.poll() is not None:
            raise Failed(f"a member ended by itself with {self.process.returncode}: {b' '.join(self.said[-3:]).decode()[-300:]}")

    def leave(self):
        self.process.send_signal(self.leave_signal)
        self.process.wait(30)
        for reader in self.readers:
            reader.join(10)

    def kill(self):
        self.process.kill()
        self.process.wait(30)


class Kcat(Member):
    """kcat tells of rebalances in its log: what was assigned or revoked."""

    def __init__(self, options):
        settings = {"auto.offset.reset": "earliest", "session.timeout.ms": options["--session"],
                    "heartbeat.interval.ms": 500, "topic.metadata.refresh.interval.ms": 1000}
        if options.get("--kind") == "cooperative":
            settings["partition.assignment.strategy"] = "cooperative-sticky"
        if "--instance" in options:
            settings["group.instance.id"] = options["--instance"]
        settings = [word for name, value in settings.items() for word in ("-X", f"{name}={value}")]
        super().__init__(["kcat", "-b", options["--bootstrap"], "-G", options["--group"], "-u", "-f", "row %p %o %s\\n",
                          *settings, options["--member"]])

    def note(self, line):
        super().note(line)
        found = re.search(rb"rebalanced.*?(assign|revoke)", line)
        if found:
            partitions = {int(number) for number in re.findall(rb"\[(\d+)\]", line)}
            self.own(self.owned | partitions if found[1] == b"assign" else self.owned - partitions)


class Command(Member):
    """Our own command line says which partitions it has."""

    leave_signal = signal.SIGINT
    kinds = {"cooperative": ["--assignor", "cooperative-sticky"], "consumer": ["--group-protocol", "consumer"]}

    def __init__(self, options):
        settings = ["--bootstrap-server", options["--bootstrap"], "--group", options["--group"], "--verbose"]
        settings += self.kinds.get(options.get("--kind"), [])
        if "--instance" in options:
            settings += ["--instance-id", options["--instance"]]
        super().__init__([os.environ["INTEROP_BIN"], "consume", options["--member"], *settings, "--format", "row %p %o %s\\n"])

    def note(self, line):
        super().note(line)
        found = re.search(rb"this member has (?:no partition|partitions? ([\d, ]+)) now", line)
        if found:
            self.own({int(number) for number in (found[1] or b"").split(b",") if number})


class Group:
    """A topic and the group of the same name, and the members that were started."""

    def __init__(self, run, name, kind=None):
        self.run, self.kind = run, kind
        self.name = f"interop-{run.tag}-{run.client}-life-{name}"
        self.fed, self.members = {}, []
        run.create(self.name)

    def start(self, kind=None, **options):
        """Starts a member, of the group's kind unless told otherwise; `classic` is what a client is by itself."""
        kind = kind or self.kind or "classic"
        options = {"bootstrap": self.run.bootstrap, "tag": self.run.tag, "member": self.name, "group": self.name,
                   "session": SESSION_MS, **({} if kind == "classic" else {"kind": kind}), **options}
        member = self.run.member({f"--{name}": str(value) for name, value in options.items()})
        member.kind = kind
        self.members.append(member)
        return member

    def feed(self, count=ROUND):
        """Produces one more round over the partitions."""
        self.fed = {**self.fed, **self.run.produce(self.name, count)}

    @contextlib.contextmanager
    def flowing(self):
        """Feeds all the while."""
        over = threading.Event()

        def feed():
            while not over.wait(OFTEN_S):
                self.feed(FEW)

        with concurrent.futures.ThreadPoolExecutor(1) as pool:
            feeder = pool.submit(feed)
            try:
                yield
            finally:
                over.set()
        feeder.result()

    def taken(self):
        return {row[:2] for member in self.members for row in member.rows}

    def until(self, what, condition, *members):
        """Waits for a condition over members that must not end meanwhile."""
        until(what, condition, lambda: ([member.check() for member in members], time.sleep(0.02)))

    def feed_and_take(self, *members):
        """Feeds one more round, of which nothing is lost and nothing is changed."""
        self.feed()
        self.until_taken(*members)
        for member in self.members:
            for partition, offset, value in member.rows:
                same(self.fed[partition, offset], value, f"record {offset} of partition {partition}")

    def until_taken(self, *members):
        """Waits until what has been fed so far is taken."""
        fed = self.fed.keys()
        self.until("all records", lambda: fed <= self.taken(), *members)

    def until_owns_all(self, member):
        self.until("one member has all partitions", lambda: member.owned == ALL, member)

    def until_shared(self, *members):
        def shared():
            each = [member.owned for member in members]
            return all(each) and sum(map(len, each)) == PARTITIONS and set().union(*each) == ALL
        self.until(f"{len(members)} members share the partitions", shared, *members)

    def committed(self):
        """The offset of each partition, as the broker tells them."""
        request = [ConsumerGroupTopicPartitions(self.name)]
        found = self.run.admin.list_consumer_group_offsets(request)[self.name].result(30)
        return {place.partition: place.offset for place in found.topic_partitions}

    def end(self):
        for member in self.members:
            member.kill()


class Run:
    def __init__(self, options):
        self.client, self.bootstrap, self.tag, self.case = options.client, options.bootstrap, options.tag, options.case
        self.command = options.command
        self.lacking = lacking()
        settings = {"bootstrap.servers": self.bootstrap, "client.id": "interop-feeder"}
        self.admin, self.producer = AdminClient(settings), Producer({**settings, "linger.ms": 5})
        self.cases = 0

    def create(self, topic):
        self.admin.create_topics([NewTopic(topic, PARTITIONS, 1)])[topic].result(30)

    def produce(self, topic, count):
        """Produces records over the partitions and returns the value of each place."""
        places, errors = {}, []

        def delivered(error, message):
            errors.append(error) if error else places.update({(message.partition(), message.offset()): message.value()})

        for number in range(count):
            self.producer.produce(topic, f"record {number}", partition=number % PARTITIONS, on_delivery=delivered)
        left = self.producer.flush(30)
        if errors or len(places) < count:
            raise Failed(f"{len(places)} of {count} records were produced, {left} are on their way, errors {errors[:1]}")
        return places

    def member(self, options):
        if self.client == "kcat":
            return Kcat(options)
        if self.client == "mainstem":
            return Command(options)
        return Member([*self.command, *(word for pair in options.items() for word in pair)])

    def wanted(self, case):
        return self.case in case and case not in ABSENT[self.client]

    def tell(self, case, start, error=None):
        self.cases += 1
        if error:
            traceback.print_exception(error, file=sys.stderr)
            tell(f"FAIL {self.client}: {case}: {error}")
        else:
            tell(f"ok   {self.client}: {case} ({time.monotonic() - start:.1f} s)")

    def flow(self, steps):
        """Runs the steps of a generator, each a case that it has just proved; what follows a failed one has failed too."""
        name, cases, body = steps
        if not any(self.wanted(case) for case in cases):
            return
        if cases[0] in self.lacking:
            for case in cases:
                tell(f"skip {self.client}: {case}: the broker does not serve {self.lacking[case]}")
            return
        group, start, left = None, time.monotonic(), list(cases)
        try:
            group = Group(self, name, "consumer" if cases[0].startswith(CONSUMER) else None)
            for _ in body(group):
                self.tell(left.pop(0), start)
                start = time.monotonic()
        except Exception as error:  # a failed case; the others go on
            for case in left:
                self.tell(case, start, error)
            print(*(f"{len(member.rows)} rows, {member.owns[-6:]}, {member.said[-5:]}" for member in (group.members if group else [])),
                  sep="\n", file=sys.stderr)
        finally:
            if group:
                group.end()


def life(group):
    """A second member joins, the first leaves, a third crashes, and after a while without members a fourth goes on."""
    first = group.start()
    group.until_owns_all(first)
    second = group.start()
    group.until_shared(first, second)
    group.feed_and_take(first, second)
    check_protocol(group, group.kind)
    yield
    first.leave()
    group.until_owns_all(second)
    group.feed_and_take(second)
    yield
    third = group.start()
    group.until_shared(second, third)
    third.kill()
    group.until_owns_all(second)
    group.feed_and_take(second)
    yield
    second.leave()
    before = set(group.fed)
    group.feed()
    fourth = group.start()
    group.until("what came meanwhile", lambda: len(fourth.rows) >= ROUND, fourth)
    same(sorted(group.fed.keys() - before), sorted(row[:2] for row in fourth.rows), "places after the restart")
    yield


def check_protocol(group, kind):
    """Whether the group is of the protocol that was asked for."""
    found = group.run.admin.describe_consumer_groups([group.name])[group.name].result(30)
    same("CONSUMER" if kind == "consumer" else "CLASSIC", found.type.name, "type of the group")


def static_member(group):
    """A member that comes back within its session has what it had, and the other one hears nothing of it."""
    session = {} if group.kind == "consumer" else {"session": STATIC_SESSION_MS}
    first, second = group.start(instance="one", **session), group.start(instance="two", **session)
    group.until_shared(first, second)
    group.feed_and_take(first, second)
    had, heard = first.owned, len(second.owns)
    first.leave()
    again = group.start(instance="one", **session)
    group.until("the partitions are back", lambda: again.owned == had, again, second)
    group.feed_and_take(again, second)
    same([], second.owns[heard:], "what the other member heard")
    yield


def cooperative(group):
    """A member keeps what it may keep while others join and leave: it never hands everything in."""
    first = group.start(kind="cooperative")
    group.until_owns_all(first)
    heard = len(first.owns)
    second = group.start(kind="cooperative")
    group.until_shared(first, second)
    for owned in first.owns[heard:]:
        same(True, owned >= first.owned, f"{owned} holds {first.owned}, which the member keeps")
    group.feed_and_take(first, second)
    heard = len(first.owns)
    second.leave()
    group.until_owns_all(first)
    same(True, all(len(owned) >= PARTITIONS / 2 for owned in first.owns[heard:]), "nothing handed in")
    group.feed_and_take(first)
    yield


def regex(group):
    """An expression that the broker evaluates finds one topic, and not the one whose name goes on."""
    group.run.create(group.name + "-more")
    member = group.start(member=f"{re.escape(group.name[:-1])}.", regex="yes")
    group.until_owns_all(member)
    group.feed_and_take(member)
    check_protocol(group, group.kind)
    yield


def migration(group):
    """Members of one protocol give way to members of the other, one by one, and back, while records flow: each record is
    taken, and once, and what is committed in the end is what there is."""
    members = [group.start(), group.start()]
    group.until_shared(*members)
    with group.flowing():
        for kind in ("consumer", "classic"):
            while members[0].kind != kind:
                members.append(group.start(kind=kind))
                group.until_shared(*members)
                group.until_taken(*members)
                members.pop(0).leave()
                group.until_shared(*members)
                group.until_taken(*members)
            check_protocol(group, kind)
    group.feed_and_take(*members)
    while members:
        members.pop().leave()
    times = collections.Counter(row[:2] for member in group.members for row in member.rows)
    if group.run.client not in REPEATING:
        same({}, {place: count for place, count in times.items() if count > 1}, "places that were taken more than once")
    ends = collections.Counter(partition for partition, _ in group.fed)
    same(dict(ends), group.committed(), "what is committed")
    yield


FLOWS = [
    ("classic", [CLASSIC + name for name in LIFE], life),
    ("consumer", [CONSUMER + name for name in LIFE], life),
    ("static", [CLASSIC + STATIC], static_member),
    ("consumer-static", [CONSUMER + STATIC], static_member),
    ("cooperative", [CLASSIC + COOPERATIVE], cooperative),
    ("consumer-regex", [CONSUMER + REGEX], regex),
    ("migration", [MIGRATION], migration),
]


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    for name in ("client", "bootstrap", "tag"):
        parser.add_argument(f"--{name}", required=True)
    parser.add_argument("--case", default="")
    parser.add_argument("command", nargs="*")
    run = Run(parser.parse_args())
    with concurrent.futures.ThreadPoolExecutor(AT_A_TIME) as pool:
        list(pool.map(run.flow, FLOWS))
    tell(f"done {run.client} members: {run.cases} cases")


if __name__ == "__main__":
    main()
