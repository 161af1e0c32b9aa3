"""A broker under load: the demo, whose processor drops late records, a producer, and a group that lags behind it."""

import contextlib
import gzip
import json
import os
import pathlib
import re
import subprocess
import threading
import time
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parents[2]
LOG = ROOT / "tests/data/apache_access.log.gz"
TOPIC = "orders"
GROUP = "billing"
PROCESSOR = "access-log-counter"
START_SECONDS = 60
# What the group takes before it goes; everything that is produced afterwards is its lag.
TAKEN = 100


class Scene:
    """The broker with everything that goes on; to be used in a with statement."""

    def __init__(self, binary, folder):
        self.binary, self.folder = str(binary), pathlib.Path(folder)
        self.data = self.folder / "data"
        self.environment = {name: value for name, value in os.environ.items() if not name.startswith("MAINSTEM_")}
        self.ends = contextlib.ExitStack()

    def __enter__(self):
        self.prime()
        self.broker, said = self.serve("demo")
        self.kafka, self.http = said["kafka"], said["http"].removeprefix("http://")
        self.create(TOPIC, "--partitions", "3")
        self.say(TOPIC, [f"order {number}" for number in range(TAKEN * 2)])
        self.command("consume", TOPIC, "--group", GROUP, "--count", str(TAKEN))
        self.load = Load(self)
        self.ends.callback(self.load.stop)
        return self

    def __exit__(self, *_):
        self.ends.close()

    def prime(self):
        """The newest line of the log comes first: whatever follows is late."""
        lines = gzip.decompress(LOG.read_bytes()).decode().splitlines()
        broker, said = self.serve("serve")
        self.kafka = said["kafka"]
        self.create("access-log", "--partitions", "1", "--config", "retention.ms=-1")
        self.say("access-log", [lines[-1], lines[0]])
        broker.terminate()
        assert broker.wait(timeout=START_SECONDS) == 0

    def serve(self, command):
        """A broker on ports of its own, and the first line that it says."""
        errors = (self.folder / f"{command}.err").open("w")
        arguments = [command, "--data", str(self.data), "--listen", "127.0.0.1:0", "--http", "127.0.0.1:0"]
        broker = subprocess.Popen([self.binary, *arguments, "--output", "json"], env=self.environment,
                                  stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=errors, text=True)
        self.ends.callback(end, broker)
        said = broker.stdout.readline()
        assert said, pathlib.Path(errors.name).read_text()
        threading.Thread(target=broker.stdout.read, daemon=True).start()
        return broker, json.loads(said)

    def command(self, *arguments, lines=()):
        text = "".join(f"{line}\n" for line in lines)
        arguments = [self.binary, arguments[0], "-b", self.kafka, *arguments[1:]]
        done = subprocess.run(arguments, input=text, env=self.environment, capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, f"{arguments}: {done.stderr}"
        return done.stdout

    def create(self, topic, *arguments):
        arguments = [self.binary, "topic", "create", "-b", self.kafka, topic, *arguments]
        subprocess.run(arguments, env=self.environment, check=True, capture_output=True, timeout=60)

    def say(self, topic, lines):
        self.command("produce", topic, lines=lines)

    def get(self, path):
        with urllib.request.urlopen(f"http://{self.http}{path}", timeout=10) as answer:
            return answer.read().decode()

    def metrics(self):
        """What /metrics shows: a number for each series, by its name with its labels."""
        lines = [line.rsplit(" ", 1) for line in self.get("/metrics").splitlines() if not line.startswith("#")]
        return {series: float(value) for series, value in lines}

    def total(self, name, **labels):
        """The sum of a metric's series with these labels."""
        wanted = [f'{label}="{value}"' for label, value in labels.items()]
        found = [value for series, value in self.metrics().items()
                 if re.split("[{ ]", series)[0] == name and all(label in series for label in wanted)]
        assert found, f"no {name} {labels}"
        return sum(found)

    def until(self, what, condition, seconds=START_SECONDS):
        end = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < end, f"{what}: not within {seconds} s"
            time.sleep(0.1)


class Load:
    """Writes and reads, some hundred records a second, until it is stopped."""

    def __init__(self, scene):
        self.stopped = threading.Event()
        arguments = ["-b", scene.kafka, TOPIC]
        self.producer = subprocess.Popen([scene.binary, "produce", *arguments], env=scene.environment,
                                         stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True)
        self.consumer = subprocess.Popen([scene.binary, "consume", *arguments, "--from", "latest"],
                                         env=scene.environment, stdout=subprocess.DEVNULL)
        self.writer = threading.Thread(target=self._write)
        self.writer.start()

    def _write(self):
        number = 0
        while not self.stopped.wait(0.05):
            lines = [f"order {number + more} {'x' * 200}\n" for more in range(20)]
            number += len(lines)
            self.producer.stdin.writelines(lines)
            self.producer.stdin.flush()

    def stop(self):
        """Returns when everything that was written has been answered."""
        self.stopped.set()
        self.writer.join()
        if not self.producer.stdin.closed:
            self.producer.stdin.close()
        self.producer.wait(timeout=30)
        end(self.consumer)


def end(process):
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(timeout=30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
