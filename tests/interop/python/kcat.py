"""kcat as Debian ships it: 1.7.1 with librdkafka 2.0.2."""

import subprocess
import tempfile

from harness import CODECS, LINES, MIB, Run
from result import Failed, same

# kcat creates topics by using them: their limit is the broker's own, 1 MiB and 12 bytes for a batch with its head.
RECORD_HEAD_BYTES = 128
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
    kcat("-P", "-t", topic, "-p", "0", "-K", ":", "-Z", "-H", "a=1", "-H", "a=2", "-H", "b=", "-H", "c",
         stdin=b"key:value\n:no key\nno value:\n")
    rows = kcat("-C", "-e", "-q", "-t", topic, "-Z", "-f", "%k|%K|%s|%S|%h\\n").splitlines()
    same([b"key|3|value|5|a=1,a=2,b=,c=NULL", b"NULL|-1|no key|6|a=1,a=2,b=,c=NULL", b"no value|8|NULL|-1|a=1,a=2,b=,c=NULL"], rows, "records")


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


def mebibyte():
    """Without a delimiter a file is one record."""
    topic, value = run.topic("mebibyte"), (b"0123456789abcde\n" * (MIB // 16))[:MIB - RECORD_HEAD_BYTES]
    with tempfile.NamedTemporaryFile() as file:
        file.write(value)
        file.flush()
        kcat("-P", "-t", topic, "-p", "0", "-X", f"message.max.bytes={2 * MIB}", file.name)
    same(True, kcat("-C", "-e", "-q", "-t", topic, "-f", "%s") == value, "the same record")


for name in CODECS:
    run.case(f"10,000 lines, {name}", all_lines, name)
run.case("idempotent", idempotent)
run.case("headers with duplicate keys, null keys and values", headers_and_nulls)
run.case("offsets by time", offsets_by_time)
run.case("metadata", metadata)
run.case("a record of 1 MiB", mebibyte)
run.done()
