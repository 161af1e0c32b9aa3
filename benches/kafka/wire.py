"""The two questions that are asked without any client, so that no start-up of a client is measured with the broker's."""

import socket
import struct


def ask(port, key, version, body, timeout=10):
    """One request with a header of version 1; the answer without its correlation id."""
    client = b"bench"
    request = struct.pack(">hhih", key, version, 1, len(client)) + client + body
    with socket.create_connection(("127.0.0.1", port), timeout) as connection:
        connection.sendall(struct.pack(">i", len(request)) + request)
        stream = connection.makefile("rb")
        size = stream.read(4)
        if len(size) < 4:
            raise ConnectionError("closed without an answer")
        return stream.read(struct.unpack(">i", size)[0])[4:]


def answers(port):
    """Whether the broker answers ApiVersions 0 without an error."""
    try:
        return ask(port, 18, 0, b"")[:2] == b"\0\0"
    except OSError:
        return False


def led(port, topic):
    """How many partitions of the topic have a leader, by Metadata 1."""
    name = topic.encode()
    try:
        answer = Reader(ask(port, 3, 1, struct.pack(">ih", 1, len(name)) + name, timeout=60))
    except OSError:
        return 0
    for _ in range(answer.number("i")):
        answer.number("i"), answer.text(), answer.number("i"), answer.text()
    answer.number("i"), answer.number("i"), answer.number("h"), answer.text(), answer.number("b")
    leaders = 0
    for _ in range(answer.number("i")):
        error, _partition, leader = answer.number("h"), answer.number("i"), answer.number("i")
        leaders += error == 0 and leader >= 0
        for _ in range(2):
            for _ in range(answer.number("i")):
                answer.number("i")
    return leaders


class Reader:
    def __init__(self, data):
        self.data, self.at = data, 0

    def number(self, kind):
        (value,) = struct.unpack_from(">" + kind, self.data, self.at)
        self.at += struct.calcsize(kind)
        return value

    def text(self):
        size = self.number("h")
        self.at += max(size, 0)
