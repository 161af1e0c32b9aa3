"""The sides: a broker and an application, each a process of its own or both in one, with fresh data."""

import json
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import tempfile
import time

from brokers import free_port

INTEROP = pathlib.Path(__file__).parents[2] / "tests" / "interop"
START_LIMIT_S = 120
END_LIMIT_S = 20
IN_MEMORY = "org.apache.kafka.streams.state.BuiltInDslStoreSuppliers$InMemoryDslStoreSuppliers"
# As much as kafka.sh gives its broker.
HEAP = ["-Xms1g", "-Xmx1g"]


class Side:
    """`broker()` and `application()` tell how the processes are started; CPU time is read from outside."""

    def __init__(self, program, options):
        self.program = program
        self.options = options
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix=f"{self.name}-", dir=os.environ["BENCH_WORK"]))
        self.processes = []

    def start(self, name, command, stdin=subprocess.DEVNULL):
        with open(self.folder / f"{name}.log", "ab") as log:
            process = subprocess.Popen(command, stdin=stdin, stdout=log, stderr=log)
        self.processes.append(process)
        return process

    def log(self, name):
        return (self.folder / f"{name}.log").read_text(errors="replace")

    def wait(self, name, condition):
        end = time.monotonic() + START_LIMIT_S
        while not condition():
            self.check()
            if time.monotonic() > end:
                raise SystemExit(f"{self.name}: {name} did not come up: {self.log(name)[-2000:]}")
            time.sleep(0.05)

    def check(self):
        """Nobody waits for a process that has ended."""
        for process in self.processes:
            if process.poll() is not None:
                logs = "\n".join(path.read_text(errors="replace")[-2000:] for path in self.folder.glob("*.log"))
                raise SystemExit(f"{self.name}: {process.args[0]} has ended: {logs}")

    def cpu(self):
        """CPU seconds so far of each process: broker and application."""
        return [cpu(process.pid) for process in self.processes]

    def resident(self):
        """The most resident memory so far of each process, MiB."""
        return [peak(process.pid) for process in self.processes]

    def stop(self):
        for process in reversed(self.processes):
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(END_LIMIT_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)


class Mainstem(Side):
    name = "mainstem"

    def broker(self):
        command = [os.environ["BENCH_BIN"], "serve", "--data", str(self.folder / "data"), "--listen", "127.0.0.1:0"]
        command += ["--http", "127.0.0.1:0", "--output", "json", "--durability", self.options.durability]
        self.start("broker", command)
        self.wait("broker", lambda: '"kafka"' in self.log("broker"))
        started = next(line for line in self.log("broker").splitlines() if '"kafka"' in line)
        return json.loads(started)["kafka"]

    def application(self, bootstrap):
        self.start("application", [os.environ["BENCH_EXAMPLE"], self.program.name, bootstrap])


class Beside(Side):
    """Broker and application are one process: broker/examples/beside.rs."""

    name = "beside"

    def broker(self):
        settings = {
            "log.dir": self.folder / "data",
            "listeners": "127.0.0.1:0",
            "http.listener": "127.0.0.1:0",
            "log.flush.interval.messages": {"os": 2**63 - 1, "fsync": 1}[self.options.durability],
        }
        command = [os.environ["BENCH_BESIDE"], self.program.name, *(f"{name}={value}" for name, value in settings.items())]
        self.start("broker", command, stdin=subprocess.PIPE)
        self.wait("broker", lambda: self.log("broker").endswith("\n"))
        return self.log("broker").strip()

    def application(self, _bootstrap):
        """It begins once it is told anything."""
        self.processes[0].stdin.close()


class Kafka(Side):
    """Apache Kafka never syncs, which is its default."""

    name = "kafka"

    def broker(self):
        port = free_port()
        # Once formatted the script becomes the broker.
        command = [str(INTEROP / "kafka.sh"), str(self.folder / "kafka"), str(port), str(free_port())]
        self.start("broker", command)
        self.wait("broker", lambda: accepts(port))
        return f"127.0.0.1:{port}"

    def application(self, bootstrap):
        classes = f"{os.environ['BENCH_CLASSES']}:{os.environ['BENCH_JARS']}/*"
        command = ["java", *HEAP, "-cp", classes, "-Dorg.slf4j.simpleLogger.defaultLogLevel=error", "Programs"]
        command += [self.program.name, bootstrap, str(self.folder / "state")]
        self.start("application", command + [f"{name}={value}" for name, value in self.settings().items()])

    def settings(self):
        """What ours does too: a thread a task, frequent commits, stores in memory; then what was given."""
        tasks = self.program.tasks * self.options.partitions
        ours = {"num.stream.threads": tasks, "commit.interval.ms": 200, "dsl.store.suppliers.class": IN_MEMORY}
        return ours | dict(setting.split("=", 1) for setting in self.options.set)


SIDES = {side.name: side for side in (Kafka, Mainstem, Beside)}


def cpu(pid):
    """utime and stime of all its threads, the ended ones too, seconds."""
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def peak(pid):
    rows = pathlib.Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(row.split()[1]) / 1024 for row in rows if row.startswith("VmHWM"))


def accepts(port):
    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
        return True
    except OSError:
        return False
