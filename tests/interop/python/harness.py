"""What the clients' programs share: the access log, the cases, and how a result is told."""

import argparse
import gzip
import json
import pathlib
import signal
import subprocess
import sys
import tempfile
import threading
import time
import traceback

CODECS = ["none", "gzip", "snappy", "lz4", "zstd"]
LOG = pathlib.Path(__file__).parents[2] / "data" / "apache_access.log.gz"
LINES = gzip.decompress(LOG.read_bytes()).splitlines()
GROUP_PARTITIONS = 4
DEADLINE_S = 60
LARGE_RECORD_BYTES = 64 << 20
LARGE_BATCH_BYTES = LARGE_RECORD_BYTES + (1 << 20)


class Failed(Exception):
    """What was expected and what came instead."""


class Run:
    """One client's run: prints a line per case and ends with how many there were."""

    def __init__(self, client):
        parser = argparse.ArgumentParser()
        parser.add_argument("--bootstrap", required=True)
        parser.add_argument("--tag", required=True, help="part of each topic's name, new for each run")
        parser.add_argument("--seen", help="what the recording proxy saw")
        parser.add_argument("--case", default="", help="only the cases whose name holds this")
        self.options = parser.parse_args()
        self.client, self.bootstrap, self.cases = client, self.options.bootstrap, 0

    def topic(self, name):
        return f"interop-{self.options.tag}-{self.client}-{name}"

    def case(self, name, body, *arguments):
        """Runs one case; an exception is its failure."""
        if self.options.case not in name:
            return
        self.cases += 1
        start = time.monotonic()
        try:
            body(*arguments)
        except Exception as error:  # a client may raise anything: each is a failed case, and the next one runs
            traceback.print_exc(file=sys.stderr)
            print(f"FAIL {self.client}: {name}: {type(error).__name__}: {error}", flush=True)
        else:
            print(f"ok   {self.client}: {name} ({time.monotonic() - start:.1f} s)", flush=True)

    def done(self):
        print(f"done {self.client}: {self.cases} cases", flush=True)

    def check_codec(self, client_id, codec):
        """Fails unless the proxy saw this client id produce with this compression.

        Batches that would not shrink, such as a first one of a single line, go out uncompressed.
        """
        if not self.options.seen:
            return
        rows = [json.loads(row) for row in open(self.options.seen)]
        codecs = {row["codec"] for row in rows if row["client"] == client_id and row["codec"]}
        same({codec}, codecs - {"none"} or codecs, f"compression that {client_id} produced with")


def same(expected, actual, what):
    """Fails with a short account unless both are equal."""
    if expected == actual:
        return
    if isinstance(expected, list) and isinstance(actual, list) and len(expected) > 8:
        at = next((i for i, (a, b) in enumerate(zip(expected, actual)) if a != b), min(len(expected), len(actual)))
        raise Failed(f"{what}: {len(expected)} expected, {len(actual)} came, the first difference is at {at}: "
                     f"{expected[at:at + 1]!r:.200} and {actual[at:at + 1]!r:.200}")
    raise Failed(f"{what}: {expected!r:.300} expected, {actual!r:.300} came")


def until(what, condition, step=lambda: time.sleep(0.05), seconds=DEADLINE_S):
    """Takes steps until the condition holds; fails when it never does."""
    end = time.monotonic() + seconds
    while not (result := condition()):
        if time.monotonic() > end:
            raise Failed(f"{what}: not within {seconds} s")
        step()
    return result


class ThreadMember:
    """A consumer of a group on its own thread. `work` consumes until `leave` is set, filling `rows` with (partition,
    offset, value) and telling in `owned` how many partitions it has."""

    def __init__(self, topic):
        self.topic, self.taken, self.owned, self.error, self.leave = topic, [], 0, None, threading.Event()
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    def run(self):
        try:
            self.work()
        except Exception as error:  # told by the case, which asks for the rows
            self.error = error

    def check(self):
        if self.error:
            raise Failed(f"a member of the group: {self.error!r}") from self.error

    def rows(self):
        self.check()
        return list(self.taken)

    def shares(self):
        self.check()
        return 0 < self.owned < GROUP_PARTITIONS

    def stop(self):
        self.leave.set()
        self.thread.join(30)

    kill = stop


class ProcessMember:
    """A process that consumes in a group and writes a line 'PARTITION OFFSET VALUE' per record."""

    def __init__(self, command, **options):
        self.out, self.log = tempfile.NamedTemporaryFile(), tempfile.NamedTemporaryFile()
        self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=self.out, stderr=self.log, **options)

    def rows(self):
        whole = open(self.out.name, "rb").read()
        rows = [row.split(b" ", 2) for row in whole[:whole.rfind(b"\n") + 1].splitlines()]
        return [(int(partition), int(offset), value) for partition, offset, value in rows]

    def stop(self):
        self.process.send_signal(signal.SIGINT)
        self.process.wait(timeout=30)

    def kill(self):
        self.process.kill()


def both_have_partitions(members, _feed):
    until("both members have partitions", lambda: all(member.shares() for member in members))


def group_of_two(start, send, ready=both_have_partitions):
    """Two members share the lines, one leaves half way, the other takes the rest.

    `start` starts a member, `send` produces lines over the partitions, `ready` waits until both members take part; it may
    feed them this many lines.
    """
    members, fed = [start(), start()], 0

    def feed(count):
        nonlocal fed
        lines = LINES[fed:fed + count]
        send(lines)
        fed += len(lines)

    try:
        ready(members, feed)
        feed(len(LINES) // 2)
        until("half of the lines", lambda: len(places(members)) == fed)
        members[0].stop()
        feed(len(LINES))
        until("all lines", lambda: len(places(members)) == len(LINES))
        members[1].stop()
        check_group(members[0].rows(), members[1].rows())
    finally:
        for member in members:
            member.kill()


def places(members):
    return {row[:2] for member in members for row in member.rows()}


def check_group(first, second):
    """All lines came, each partition's in order in each member, and both members took part."""
    for rows in (first, second):
        last = {}
        for partition, offset, _ in rows:
            if offset <= last.get(partition, -1):
                raise Failed(f"partition {partition}: offset {offset} after {last[partition]}")
            last[partition] = offset
    if not first or not second:
        raise Failed(f"the members consumed {len(first)} and {len(second)} lines")
    by_place = {(partition, offset): value for partition, offset, value in first + second}
    same(len(LINES), len(by_place), "places consumed")
    same(sorted(LINES), sorted(by_place.values()), "lines consumed")
