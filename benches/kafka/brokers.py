"""The two brokers: started on free ports with an empty data directory, measured from outside, stopped."""

import json
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import tempfile
import time

import wire

INTEROP = pathlib.Path(__file__).parents[2] / "tests" / "interop"
START_LIMIT_S = 120


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()[1]


class Broker:
    """One broker process. `name` is what the tables call it."""

    def __init__(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix=f"bench-{self.name}-"))
        self.process = None

    def start(self):
        """Starts it, and returns after how many seconds it answered its first request."""
        begin = time.monotonic()
        with open(self.folder / "log", "ab") as log:
            self.process = subprocess.Popen(self.command(), stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        self.wait(lambda: wire.answers(self.port))
        return time.monotonic() - begin

    def wait(self, condition):
        end = time.monotonic() + START_LIMIT_S
        while not condition():
            if self.process.poll() is not None or time.monotonic() > end:
                log = (self.folder / "log").read_text(errors="replace")
                raise SystemExit(f"{self.name} did not come up, its log ends with:\n{log[-2000:]}")
            time.sleep(0.002)

    @property
    def bootstrap(self):
        return f"127.0.0.1:{self.port}"

    def cpu(self):
        """CPU seconds of all its threads so far, the ended ones too: the kernel's clock of the process, in nanoseconds
        (/proc/PID/stat has hundredths of a second, clock_getcpuclockid(3) tells how the clock's number is made)."""
        return time.clock_gettime((~self.process.pid << 3) | 2)

    def resident(self):
        """Resident memory now (VmRSS), MiB."""
        rows = open(f"/proc/{self.process.pid}/status").read().splitlines()
        return next(int(row.split()[1]) / 1024 for row in rows if row.startswith("VmRSS"))

    def kill(self):
        self.process.kill()
        self.process.wait()

    def end(self):
        """Stops it in order and keeps its data."""
        if self.process and self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(60)
            except subprocess.TimeoutExpired:
                self.kill()

    def stop(self):
        self.end()
        if not os.environ.get("KEEP"):
            shutil.rmtree(self.folder, ignore_errors=True)

    def create(self, topic, partitions, **config):
        """Creates the topic on either with the same command, which speaks the Kafka protocol."""
        settings = [part for key, value in config.items() for part in ("--config", f"{key.replace('_', '.')}={value}")]
        command = [os.environ["BENCH_BIN"], "topic", "create", topic, "-b", self.bootstrap, "--partitions", str(partitions)]
        subprocess.run(command + settings, check=True, stdout=subprocess.DEVNULL)


class Kafka(Broker):
    """Apache Kafka as tests/interop/kafka.sh runs it: KRaft, one node, a heap of 1 GiB, no sync before an answer."""

    name = "kafka"

    def __init__(self):
        super().__init__()
        self.port, self.controller = free_port(), free_port()

    def command(self):
        return [str(INTEROP / "kafka.sh"), str(self.folder), str(self.port), str(self.controller)]

    def topic(self, name, partitions, _durability):
        """Never syncs, which is Kafka's default. Kafka answers before its partitions are there: an idempotent producer that
        comes in between can wait for ever."""
        self.create(name, partitions)
        self.wait(lambda: wire.led(self.port, name) == partitions)
        time.sleep(2)


class Mainstem(Broker):
    """As a user starts it; only `os` topics need a setting."""

    name = "mainstem"

    def __init__(self):
        super().__init__()
        self.port = free_port()

    def command(self):
        return [os.environ["BENCH_BIN"], "serve", "--data", str(self.folder / "data"), "--listen", self.bootstrap,
                "--http", "127.0.0.1:0"]

    def topic(self, name, partitions, durability):
        """`fsync`, the default, answers after the sync; `os` answers before it, as Kafka does, but syncs within a second."""
        self.create(name, partitions, **({"flush_messages": 2**63 - 1} if durability == "os" else {}))


class Unsynced(Mainstem):
    """Its own topics, those of transactions among them, answer before the sync too, as Kafka's do."""

    def command(self):
        return [*super().command(), "--durability", "os"]


def machine():
    """What the figures belong to."""
    cpu = next((row.split(":")[1].strip() for row in open("/proc/cpuinfo") if row.startswith("model name")), "unknown")
    return json.dumps({"processors": os.cpu_count(), "cpu": cpu, "kernel": os.uname().release})
