"""Counts the broker's system calls while `mainstem bench` produces and reads back; started by run.sh.

What the two clients ask beside Produce and Fetch is a few requests of thousands, and is counted with them.
"""

import collections
import json
import pathlib
import re
import subprocess
import sys
import time
import urllib.request

# A thread's call, whole or up to where another thread's call came between.
CALL = re.compile(r"(\d+)\s+(\w+)\((.*)")
RESUMED = re.compile(r"(\d+)\s+<\.\.\. \w+ resumed>(.*)")
DESCRIPTOR = re.compile(r"\d+<(TCP.*?\]|[^>]*)>")
RESULT = re.compile(r"= (-?\d+)")
# Calls whose bytes stay in the kernel.
KERNEL_ONLY = {"sendfile", "splice", "copy_file_range"}
MOVES_BYTES = {"read", "recvfrom", "recvmsg", "readv", "pread64", "preadv", "preadv2", "write", "sendto", "sendmsg",
               "writev", "pwrite64", "pwritev", "pwritev2"} | KERNEL_ONLY


def kind(arguments):
    """What the first descriptor is."""
    found = DESCRIPTOR.match(arguments)
    name = found[1] if found else ""
    if name.startswith("TCP"):
        return "socket"
    if "/journal/" in name:
        return "journal"
    if "/topics/" in name:
        return "segment"
    return "other" if name.startswith("/") else ""


def count(lines):
    """(call, kind) to how often it succeeded or would have waited, and the bytes that it moved."""
    begun, counts = {}, collections.defaultdict(lambda: [0, 0])
    for line in lines:
        if resumed := RESUMED.match(line):
            call = begun.pop(resumed[1], None)
            rest = resumed[2]
        elif whole := CALL.match(line):
            call, rest = (whole[2], kind(whole[3])), whole[3]
            if rest.endswith("<unfinished ...>"):
                begun[whole[1]] = call
                continue
        else:
            continue
        if call is None:
            continue
        results = RESULT.findall(rest)
        moved = max(int(results[-1]), 0) if results and call[0] in MOVES_BYTES else 0
        counts[call][0] += 1
        counts[call][1] += moved
    return counts


class Broker:
    def __init__(self, binary, work):
        self.binary, self.work = binary, work
        told = open(work / "start.json", "w")
        self.process = subprocess.Popen(
            [binary, "serve", "--data", work / "data", "--listen", "127.0.0.1:0", "--http", "127.0.0.1:0",
             "--output", "json"], stdout=told, stderr=open(work / "broker.log", "w"))
        for _ in range(200):
            text = (work / "start.json").read_text()
            if text.strip():
                break
            time.sleep(0.05)
        start = json.loads(text)
        self.kafka, self.http = start["kafka"], start["http"]

    def settle(self):
        """Waits until nothing is written any more: a new journal is filled with zeros once, in the background."""
        before, now = -1, 0
        while now != before:
            time.sleep(1)
            text = pathlib.Path(f"/proc/{self.process.pid}/io").read_text()
            before, now = now, int(re.search(r"write_bytes: (\d+)", text)[1])

    def number(self, name):
        with urllib.request.urlopen(f"http://{self.http}/metrics") as reply:
            lines = reply.read().decode().splitlines()
        return sum(float(line.rsplit(" ", 1)[1]) for line in lines if line.startswith(name))

    def bench(self, *arguments):
        subprocess.run([self.binary, "bench", *arguments, "-b", self.kafka], check=True, stdout=subprocess.DEVNULL,
                       stderr=subprocess.DEVNULL, timeout=600)

    def traced(self, name, *arguments):
        """The system calls while the bench runs."""
        trace = self.work / name
        strace = subprocess.Popen(["strace", "-f", "-yy", "-s", "0", "-e", "signal=none", "-o", trace, "-p",
                                   str(self.process.pid)], stderr=subprocess.PIPE, text=True)
        while "attached" not in strace.stderr.readline():
            assert strace.poll() is None, "strace cannot attach"
        try:
            self.bench(*arguments)
        finally:
            strace.terminate()
            strace.wait()
        with open(trace) as lines:
            return count(lines)

    def stop(self):
        self.process.terminate()
        self.process.wait()


def report(title, counts, requests, record_bytes):
    print(f"\n{title}: {requests:,.0f} requests, {record_bytes / requests:,.0f} bytes of batches in each\n")
    print("| system call | on | calls per request | bytes per byte of batches |\n|---|---|--:|--:|")
    for (call, on), (calls, moved) in sorted(counts.items(), key=lambda entry: -entry[1][0]):
        if calls / requests >= 0.005 or moved / record_bytes >= 0.005:
            share = f"{moved / record_bytes:.2f}" if moved else ""
            print(f"| `{call}` | {on} | {calls / requests:.2f} | {share} |")
    total = sum(calls for calls, _ in counts.values())
    through = sum(moved for (call, _), (_, moved) in counts.items() if call not in KERNEL_ONLY)
    within = sum(moved for (call, _), (_, moved) in counts.items() if call in KERNEL_ONLY)
    print(f"| **all** | | **{total / requests:.2f}** | **{through / record_bytes:.2f}** through user space, "
          f"**{within / record_bytes:.2f}** within the kernel |")


def main(binary, work, records, size):
    work = pathlib.Path(work)
    broker = Broker(binary, work)
    try:
        for durability in ("fsync", "os"):
            topic = f"counted-{durability}"
            common = [topic, "--size", size, "--warm-up", "0s"]
            broker.bench("produce", *common, "--records", "1000", "--partitions", "1", "--durability", durability)
            requests, taken = ('mainstem_request_seconds_count{api="Produce"}', "mainstem_topic_bytes_in_total")
            broker.settle()
            before = [broker.number(requests), broker.number(taken)]
            counts = broker.traced("produce", "produce", *common, "--records", records)
            after = [broker.number(requests), broker.number(taken)]
            report(f"Produce, {size} B records, `{durability}`", counts, after[0] - before[0], after[1] - before[1])
        requests, taken = ('mainstem_request_seconds_count{api="Fetch"}', "mainstem_topic_bytes_out_total")
        before = [broker.number(requests), broker.number(taken)]
        counts = broker.traced("fetch", "consume", topic, "--records", records)
        after = [broker.number(requests), broker.number(taken)]
        report(f"Fetch, {size} B records", counts, after[0] - before[0], after[1] - before[1])
    finally:
        broker.stop()


if __name__ == "__main__":
    main(*sys.argv[1:])
