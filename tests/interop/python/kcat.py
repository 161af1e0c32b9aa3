"""kcat as Debian ships it: 1.7.1 with librdkafka 2.0.2."""

import re
import subprocess

from harness import CODECS, LINES, Failed, ProcessMember, Run, group_of_two, same, until

run = Run("kcat")


def kcat(*arguments, stdin=b"", client_id="kcat"):
    command = ["kcat", "-b", run.bootstrap, "-X", f"client.id={client_id}", *arguments]
    done = subprocess.run(command, input=stdin, capture_output=True, timeout=120)
    if done.returncode != 0:
        raise Failed(f"{' '.join(command)}: exit {done.returncode}: {done.stderr.decode()[-500:]}")
    return done.stdout


def all_lines(codec):
    topic, client_id = run.topic(codec), f"kcat-{codec}"
    kcat("-P", "-t", topic, "-p", "0", "-z", codec, stdin=joined(LINES), client_id=client_id)
    same(LINES, kcat("-C", "-e", "-q", "-t", topic, "-o", "beginning").splitlines(), "lines")
    run.check_codec(client_id, codec)


def joined(lines):
    return b"".join(line + b"\n" for line in lines)


def idempotent():
    topic = run.topic("idempotent")
    kcat("-P", "-t", topic, "-p", "0", "-X", "enable.idempotence=true", stdin=joined(LINES))
    same(LINES, kcat("-C", "-e", "-q", "-t", topic).splitlines(), "lines")


def headers_and_nulls():
    topic = run.topic("headers")
    kcat("-P", "-t", topic, "-p", "0", "-K", ":", "-Z", "-H", "a=1", "-H", "a=2", "-H", "b=",
         stdin=b"key:value\n:no key\nno value:\n")
    rows = kcat("-C", "-e", "-q", "-t", topic, "-Z", "-f", "%k|%K|%s|%S|%h\\n").splitlines()
    same([b"key|3|value|5|a=1,a=2,b=", b"NULL|-1|no key|6|a=1,a=2,b=", b"no value|8|NULL|-1|a=1,a=2,b="], rows, "records")


def offsets_by_time():
    topic = run.topic("offsets")
    kcat("-P", "-t", topic, "-p", "0", stdin=b"one\ntwo\n")
    stamps = [int(row) for row in kcat("-C", "-e", "-q", "-t", topic, "-f", "%T\\n").splitlines()]
    rows = {when: kcat("-Q", "-t", f"{topic}:0:{when}") for when in (-2, -1, stamps[0], stamps[1] + 60_000)}
    expected = {-2: 0, -1: 2, stamps[0]: 0, stamps[1] + 60_000: -1}
    for when, offset in expected.items():
        same(offset, int(rows[when].split()[-1]), f"offset at {when}")


def metadata():
    topic = run.topic("offsets")
    same(True, f'topic "{topic}" with '.encode() in kcat("-L", "-t", topic), "topic in the listing")


class Member(ProcessMember):
    def __init__(self, topic, partitions):
        self.partitions = partitions
        super().__init__(["kcat", "-b", run.bootstrap, "-G", topic, "-X", "auto.offset.reset=earliest", "-u",
                          "-f", "%p %o %s\\n", topic])

    def shares(self):
        """Whether the newest assignment names some of the partitions."""
        news = [line for line in open(self.log.name) if "rebalanced" in line and "assigned" in line]
        return 0 < (news[-1].count("[") if news else 0) < self.partitions


def group():
    topic = run.topic("group")
    partitions = partitions_of(topic)
    group_of_two(lambda: Member(topic, partitions), lambda lines: produce_over(topic, partitions, lines))


def partitions_of(topic):
    """Creates the topic by asking for it. kcat cannot choose the number of partitions: it is the broker's default."""
    def asked():
        match = re.search(rb"with (\d+) partitions", kcat("-L", "-t", topic))
        return int(match[1]) if match else 0
    partitions = until("the topic exists", asked)
    if partitions < 2:
        raise Failed("a group of two needs a broker whose num.partitions is 2 or more")
    return partitions


def produce_over(topic, partitions, lines):
    for partition in range(partitions):
        kcat("-P", "-t", topic, "-p", str(partition), stdin=joined(lines[partition::partitions]))


for name in CODECS:
    run.case(f"10,000 lines, {name}", all_lines, name)
run.case("idempotent", idempotent)
run.case("headers with duplicate keys, null keys and values", headers_and_nulls)
run.case("offsets by time", offsets_by_time)
run.case("metadata", metadata)
run.case("group of two, one leaves", group)
run.done()
