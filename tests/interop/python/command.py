"""Our own command line, and with it our own client: the binary that $INTEROP_BIN names."""

import datetime
import json
import os
import subprocess

from harness import CODECS, LINES, MIB, Run
from result import Failed, same

BINARY = os.environ["INTEROP_BIN"]
run = Run("mainstem")


def mainstem(*arguments, stdin=b"", fails=False):
    command = [BINARY, *arguments]
    done = subprocess.run(command, input=stdin, capture_output=True, timeout=120, env=environment())
    if (done.returncode != 0) != fails:
        raise Failed(f"{' '.join(command)}: exit {done.returncode}: {done.stderr.decode()[-500:]}")
    return done.stdout


def environment():
    return {**os.environ, "MAINSTEM_BOOTSTRAP_SERVER": run.bootstrap}


def objects(*arguments, **options):
    return [json.loads(line) for line in mainstem(*arguments, "--output", "json", **options).splitlines()]


def joined(lines):
    return b"".join(line + b"\n" for line in lines)


def create(name, *arguments):
    topic = run.topic(name)
    mainstem("topic", "create", topic, *arguments)
    return topic


def all_lines(codec):
    topic = create(codec, "--partitions", "1")
    same([{"topic": topic, "records": len(LINES)}], objects("produce", topic, "-z", codec, stdin=joined(LINES)), "answer")
    same(LINES, mainstem("consume", topic, "--exit").splitlines(), "lines")


def topics():
    topic = create("admin", "--partitions", "3", "--durability", "os", "--config", "retention.ms=3600000")
    same(True, topic in {row["topic"] for row in objects("topic", "list")[0]}, "the topic in the list")
    found = objects("topic", "describe", topic)[0]
    same(3, len(found["partitions"]), "partitions")
    retention = found["settings"]["retention.ms"]
    same(("3600000", True), (retention["value"], retention["own"]), "retention.ms")
    same(str(2**63 - 1), found["settings"]["flush.messages"]["value"], "flush.messages")
    mainstem("topic", "delete", topic)
    mainstem("topic", "describe", topic, fails=True)


def described(topic):
    return objects("topic", "describe", topic)[0]


def partitions():
    topic = create("partitions", "--partitions", "1")
    mainstem("topic", "alter", topic, "--partitions", "3")
    same(3, len(described(topic)["partitions"]), "partitions")
    mainstem("produce", topic, "-p", "2", stdin=b"value\n")
    mainstem("topic", "alter", topic, "--partitions", "2", fails=True)


def own_settings(topic):
    """What the topic itself has; of the settings of its durability a topic of ours always has its own."""
    settings = described(topic)["settings"]
    return {name: row["value"] for name, row in settings.items() if row["own"] and not name.startswith("flush.")}


def settings():
    topic = create("settings", "--partitions", "1", "--config", "retention.ms=3600000")
    mainstem("topic", "alter", topic, "--config", "segment.bytes=1048576", "--config", "retention.ms=7200000")
    same({"retention.ms": "7200000", "segment.bytes": "1048576"}, own_settings(topic), "settings")
    mainstem("topic", "alter", topic, "--delete-config", "retention.ms")
    same({"segment.bytes": "1048576"}, own_settings(topic), "settings")


def groups():
    topic = create("listed", "--partitions", "1")
    mainstem("produce", topic, stdin=joined(LINES[:10]))
    mainstem("consume", topic, "--group", topic, "--count", "10")
    same(True, topic in str(objects("group", "list")), "the group in the list")
    same("Empty", objects("group", "describe", topic)[0]["state"], "state")
    mainstem("group", "delete", topic)
    same(False, topic in str(objects("group", "list")), "the group in the list")


def set_by_time():
    """Records have the times of three calls; the group goes to that of the second."""
    topic = create("by-time", "--partitions", "1")
    for line in LINES[:3]:
        mainstem("produce", topic, stdin=joined([line]))
    stamp = objects("consume", topic, "--exit")[1]["timestamp"]
    stamp = stamp if isinstance(stamp, str) else datetime.datetime.fromtimestamp(stamp / 1000, datetime.timezone.utc).isoformat()
    mainstem("group", "reset", topic, "--topic", topic, "--to-time", stamp, "--execute")
    same(LINES[1:3], mainstem("consume", topic, "--group", topic, "--count", "2").splitlines(), "lines from the time on")


def mebibyte():
    topic = create("mebibyte", "--partitions", "1", "--config", f"max.message.bytes={2 * MIB}")
    line = b"0123456789abcdef" * (MIB // 16)
    mainstem("produce", topic, stdin=joined([line]))
    same(True, mainstem("consume", topic, "--exit") == joined([line]), "the same 1 MiB")


def headers_and_nulls():
    topic = create("headers", "--partitions", "1")
    mainstem("produce", topic, "-K", ":", "-H", "a=1", "-H", "a=2", stdin=b"key:value\nno key\n\xff:\xfe\n")
    rows = objects("consume", topic, "--exit")
    pairs = [("key", "value"), (None, "no key"), ({"base64": "/w=="}, {"base64": "/g=="})]
    same(pairs, [(row["key"], row["value"]) for row in rows], "keys and values")
    same([[["a", "1"], ["a", "2"]]] * 3, [row["headers"] for row in rows], "headers")


def places_to_begin():
    topic = create("from", "--partitions", "1")
    mainstem("produce", topic, stdin=joined(LINES[:10]))
    same(LINES[4:10], mainstem("consume", topic, "--exit", "--from", "4").splitlines(), "from an offset")
    same([], mainstem("consume", topic, "--exit", "--from", "latest").splitlines(), "from the end")
    hour_ago = (datetime.datetime.now(datetime.timezone.utc) - datetime.timedelta(hours=1)).isoformat()
    same(LINES[:10], mainstem("consume", topic, "--exit", "--from", hour_ago).splitlines(), "from a time")


def restart_from_committed():
    topic = create("commit", "--partitions", "1")
    mainstem("produce", topic, stdin=joined(LINES[:100]))
    consume = ("consume", topic, "--group", topic, "--count")
    same(LINES[:30], mainstem(*consume, "30").splitlines(), "lines before the restart")
    same(LINES[30:100], mainstem(*consume, "70").splitlines(), "lines after the restart")


for name in CODECS:
    run.case(f"10,000 lines, {name}", all_lines, name)
run.case("topics created, described, deleted", topics)
run.case("partitions added", partitions)
run.case("settings altered", settings)
run.case("groups listed, described, deleted", groups)
run.case("offsets set by time", set_by_time)
run.case("a record of 1 MiB", mebibyte)
run.case("headers with duplicate keys, null keys and values", headers_and_nulls)
run.case("from an offset, the end, a time", places_to_begin)
run.case("restart from committed", restart_from_committed)
run.done()
