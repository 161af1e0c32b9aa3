"""A recording TCP proxy: forwards every byte and notes which API versions went by.

    record.py --upstream FILE --seen FILE [--frames DIR]

Prints the port that it listens on. `--upstream` names a file with the broker's HOST:PORT, read at each connection, so
that the proxy may start before the broker whose advertised address it is. `--seen` gets a JSON line for each new
combination of client id, API, version and, for Produce, compression. `--frames` gets the first request and response of
each combination as hex.
"""

import argparse
import collections
import json
import pathlib
import socket
import struct
import sys
import threading

API = {
    0: "Produce", 1: "Fetch", 2: "ListOffsets", 3: "Metadata", 8: "OffsetCommit", 9: "OffsetFetch",
    10: "FindCoordinator", 11: "JoinGroup", 12: "Heartbeat", 13: "LeaveGroup", 14: "SyncGroup", 15: "DescribeGroups",
    16: "ListGroups", 18: "ApiVersions", 19: "CreateTopics", 20: "DeleteTopics", 21: "DeleteRecords",
    22: "InitProducerId", 23: "OffsetForLeaderEpoch", 24: "AddPartitionsToTxn", 25: "AddOffsetsToTxn", 26: "EndTxn",
    27: "WriteTxnMarkers", 28: "TxnOffsetCommit", 29: "DescribeAcls", 30: "CreateAcls", 31: "DeleteAcls",
    32: "DescribeConfigs", 33: "AlterConfigs", 35: "DescribeLogDirs", 37: "CreatePartitions", 42: "DeleteGroups",
    43: "ElectLeaders", 44: "IncrementalAlterConfigs", 45: "AlterPartitionReassignments",
    46: "ListPartitionReassignments", 47: "OffsetDelete", 48: "DescribeClientQuotas", 49: "AlterClientQuotas",
    50: "DescribeUserScramCredentials", 55: "DescribeQuorum", 60: "DescribeCluster", 61: "DescribeProducers",
    65: "DescribeTransactions", 66: "ListTransactions", 68: "ConsumerGroupHeartbeat", 69: "ConsumerGroupDescribe",
    74: "ListConfigResources", 75: "DescribeTopicPartitions",
}
CODECS = ["none", "gzip", "snappy", "lz4", "zstd"]
HEAD_BYTES = 1 << 16  # enough of a request to read its header and its first batch's header
FRAME_BYTES = 1 << 16  # larger frames are not kept
KEPT = 2  # frames of each combination
FLEXIBLE_PRODUCE = 9
TOPIC_ID_PRODUCE = 13


class Reader:
    """Reads the few field kinds that lead to a Produce request's first batch."""

    def __init__(self, data):
        self.data, self.at = data, 0

    def skip(self, count):
        self.at += count

    def number(self, kind):
        (value,) = struct.unpack_from(">" + kind, self.data, self.at)
        self.at += struct.calcsize(kind)
        return value

    def uvarint(self):
        value = shift = 0
        while True:
            byte = self.number("B")
            value |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                return value

    def text(self, compact=False):
        length = self.uvarint() - 1 if compact else self.number("h")
        start = self.at
        self.skip(max(length, 0))
        return self.data[start:self.at].decode("utf-8", "replace")

    def tags(self):
        for _ in range(self.uvarint()):
            self.uvarint()
            self.skip(self.uvarint())


class Seen:
    """What went by, each combination once."""

    def __init__(self, path):
        self.lock, self.counts = threading.Lock(), collections.Counter()
        self.file = open(path, "a", buffering=1)

    def add(self, client, api, version, codec):
        """Counts the combination and returns how often it has gone by."""
        row = (client, api, version, codec)
        with self.lock:
            self.counts[row] += 1
            if self.counts[row] == 1:
                print(json.dumps(dict(zip(("client", "api", "version", "codec"), row))), file=self.file)
            return self.counts[row]


class Frames:
    """Cuts a stream into frames; hands each frame's head, and the whole frame where it is small, to `found`."""

    def __init__(self, found):
        self.found, self.head, self.size, self.passed = found, bytearray(), None, 0

    def feed(self, chunk):
        at = 0
        while at < len(chunk):
            wanted = 4 - len(self.head) if self.size is None else 4 + self.size - self.passed
            part = chunk[at:at + wanted]
            at += len(part)
            self.take(part)

    def take(self, part):
        self.passed += len(part)
        if len(self.head) < HEAD_BYTES:
            self.head += part
        if self.size is None and len(self.head) == 4:
            (self.size,) = struct.unpack(">i", self.head)
        if self.size is not None and self.passed == 4 + self.size:
            self.tell()
            self.head, self.size, self.passed = bytearray(), None, 0

    def tell(self):
        try:
            self.found(bytes(self.head), 4 + self.size)
        except (struct.error, IndexError) as error:
            print(f"unreadable frame of {self.size} bytes: {error}", file=sys.stderr)


class Connection:
    """One client's connection: requests one way, responses the other, matched in order."""

    def __init__(self, client, upstream, seen, keep):
        self.client, self.upstream, self.seen, self.keep = client, upstream, seen, keep
        self.waiting, self.lock = {}, threading.Lock()

    def run(self):
        forward = threading.Thread(target=self.pump, args=(self.client, self.upstream, Frames(self.request)), daemon=True)
        forward.start()
        self.pump(self.upstream, self.client, Frames(self.response))
        forward.join()
        self.client.close()
        self.upstream.close()

    @staticmethod
    def pump(source, target, frames):
        try:
            while chunk := source.recv(1 << 18):
                frames.feed(chunk)
                target.sendall(chunk)
        except OSError:
            pass
        for end in (source, target):
            try:
                end.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def request(self, head, size):
        reader = Reader(head)
        reader.skip(4)
        key, version, correlation = reader.number("h"), reader.number("h"), reader.number("i")
        client, api = reader.text(), API.get(key, str(key))
        codec = produce_codec(reader, version) if api == "Produce" else None
        count = self.seen.add(client, api, version, codec)
        if self.keep and count <= KEPT and size <= FRAME_BYTES:
            name = f"{api}-v{version}" if count == 1 else f"{api}-v{version}-{count}"
            self.keep(f"{name}-request", client, head)
            with self.lock:
                self.waiting[correlation] = (f"{name}-response", client)

    def response(self, head, size):
        (correlation,) = struct.unpack_from(">i", head, 4)
        with self.lock:
            name, client = self.waiting.pop(correlation, (None, None))
        if name and size <= FRAME_BYTES:
            self.keep(name, client, head)


def produce_codec(reader, version):
    """The compression of the request's first batch, None where it holds none."""
    flexible = version >= FLEXIBLE_PRODUCE
    if flexible:
        reader.tags()
    reader.text(flexible)  # transactional id
    reader.skip(6)  # acks, timeout
    topics = reader.uvarint() - 1 if flexible else reader.number("i")
    if topics < 1:
        return None
    if version >= TOPIC_ID_PRODUCE:
        reader.skip(16)
    else:
        reader.text(flexible)
    reader.uvarint() if flexible else reader.skip(4)  # partitions
    reader.skip(4)  # partition index
    reader.uvarint() if flexible else reader.skip(4)  # size of the records
    reader.skip(21)  # to the batch's attributes
    return CODECS[reader.number("h") & 7]


def keep_in(folder):
    """Writes each kind of frame of each client once, as hex of 32 bytes a line."""
    def keep(name, client, frame):
        path = pathlib.Path(folder, client or "unnamed", name + ".hex")
        path.parent.mkdir(parents=True, exist_ok=True)
        if not path.exists():
            lines = [frame[at:at + 32].hex() for at in range(0, len(frame), 32)]
            path.write_text("\n".join(lines) + "\n")
    return keep


def upstream_of(path):
    host, port = pathlib.Path(path).read_text().strip().rsplit(":", 1)
    return socket.create_connection((host, int(port)))


def serve(client, options, seen, keep):
    client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    try:
        upstream = upstream_of(options.upstream)
    except OSError:
        client.close()
        return
    upstream.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    Connection(client, upstream, seen, keep).run()


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--upstream", required=True)
    parser.add_argument("--seen", required=True)
    parser.add_argument("--frames")
    options = parser.parse_args()
    seen, keep = Seen(options.seen), keep_in(options.frames) if options.frames else None
    listener = socket.create_server(("127.0.0.1", 0), backlog=128)
    print(listener.getsockname()[1], flush=True)
    while True:
        client, _ = listener.accept()
        threading.Thread(target=serve, args=(client, options, seen, keep), daemon=True).start()


if __name__ == "__main__":
    main()
