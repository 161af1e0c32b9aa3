"""Kafka's own performance tools, the same for both brokers."""

import contextlib
import os
import pathlib
import re
import subprocess
import time

CACHE = pathlib.Path(os.environ.get("INTEROP_CACHE", pathlib.Path.home() / ".cache" / "mainstem-interop"))
JARS = str(CACHE / "broker" / "jars" / "*")
HERE = pathlib.Path(__file__).parent
LIMIT_S = 280


def command(*arguments, flags=()):
    return ["java", "-Xms512m", "-Xmx512m", *flags, "-cp", JARS, "-Dorg.slf4j.simpleLogger.defaultLogLevel=error", *map(str, arguments)]


def java(*arguments, flags=()):
    done = subprocess.run(command(*arguments, flags=flags), capture_output=True, text=True, timeout=LIMIT_S)
    if done.returncode != 0:
        raise SystemExit(f"{' '.join(done.args)}: exit {done.returncode}\n{done.stdout[-1000:]}\n{done.stderr[-2000:]}")
    return done.stdout


def producer(broker, topic, records, size, throughput, settings):
    """The arguments of kafka-producer-perf-test, acks=all."""
    properties = [f"bootstrap.servers={broker.bootstrap}", "acks=all"]
    properties += [f"{key.replace('_', '.')}={value}" for key, value in settings.items()]
    return ["org.apache.kafka.tools.ProducerPerformance", "--topic", topic, "--num-records", records, "--record-size", size,
            "--throughput", throughput, "--command-property", *properties]


def produce(broker, topic, records, size, rate=-1, **settings):
    """Produces at this rate, or as fast as it goes. Returns records per second and the latency at 99 %, ms."""
    out = java(*producer(broker, topic, records, size, rate, settings))
    last = next(row for row in reversed(out.splitlines()) if "99th" in row)
    return float(re.search(r"([\d.]+) records/sec", last)[1]), float(re.search(r"([\d.]+) ms 99th", last)[1])


@contextlib.contextmanager
def background(broker, topic, size, rate, **settings):
    """Produces at this rate, from three seconds before the block until it ends."""
    process = subprocess.Popen(command(*producer(broker, topic, 10**9, size, rate, settings)),
                               stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        time.sleep(3)
        yield
    finally:
        process.kill()
        process.wait()


def consume(broker, topic, records):
    """kafka-consumer-perf-test in a group of its own. Returns records per second of fetching."""
    out = java("org.apache.kafka.tools.ConsumerPerformance", "--bootstrap-server", broker.bootstrap, "--topic", topic,
               "--num-records", records, "--hide-header", "--timeout", 30000)
    fields = next(row for row in reversed(out.splitlines()) if row.count(",") >= 9).split(",")
    if int(fields[4]) < records:
        raise SystemExit(f"{broker.name}: consumed {fields[4]} of {records} records")
    return float(fields[9])


def round_trip(broker, topic, records, warm_up, size):
    """One record there and back at a time; microseconds at 50, 99 and 99.9 %. Two processors are few: the collector with
    the fewest threads of its own keeps the client out of the broker's way (with G1 all percentiles were about twice as long)."""
    arguments = [HERE / "RoundTrip.java", broker.bootstrap, topic, records, warm_up, size]
    out = java(*arguments, flags=["-XX:+UseSerialGC"])
    return [float(row) for row in out.split()]


def transactions(broker, topic, partitions, producers, records, size, warm_up_s, seconds):
    """Transactions of so many records in turn over the partitions. Returns commits per second, microseconds of a commit at 50 and
    99 %, and how many transactions there were in all."""
    arguments = [HERE / "Transactions.java", broker.bootstrap, topic, partitions, producers, records, size, warm_up_s, seconds]
    out = java(*arguments, flags=["-XX:+UseSerialGC"])
    return [float(row) for row in out.split()]
