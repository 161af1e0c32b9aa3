"""Tells which versions of each API went by, and which client used the highest.

    versions.py SEEN               a table
    versions.py SEEN HOST:PORT     a case per API that the broker advertises: was its upper end used by a real client?
    versions.py --lacking HOST:PORT     the cases of the matrix that the broker cannot pass, each with the API that it lacks
"""

import collections
import json
import pathlib
import socket
import struct
import sys

from record import API, Reader

OURS = "mainstem"  # our own client proves nothing about others
BROKERS_OWN = {"AddPartitionsToTxn": 3}  # the last version for clients: later ones go from broker to broker (KIP-890)
API_VERSIONS_V0 = struct.pack(">ihhih", 10, 18, 0, 1, -1)


def used(path):
    """Per API the versions that went by, each with a client that used it."""
    rows = collections.defaultdict(dict)
    for row in map(json.loads, open(path)):
        users = rows[row["api"]]
        if users.get(row["version"], OURS) == OURS:
            users[row["version"]] = row["client"]
    return rows


def advertised(address):
    """Per API the lowest and highest version, as the broker tells them."""
    host, port = address.rsplit(":", 1)
    with socket.create_connection((host, int(port)), 10) as connection:
        connection.sendall(API_VERSIONS_V0)
        stream = connection.makefile("rb")
        (size,) = struct.unpack(">i", stream.read(4))
        reader = Reader(stream.read(size))
    reader.skip(6)  # correlation id, error code
    entries = [(reader.number("h"), reader.number("h"), reader.number("h")) for _ in range(reader.number("i"))]
    return {API.get(key, str(key)): (low, high) for key, low, high in entries}


def table(rows):
    for api, versions in sorted(rows.items()):
        top = max(versions)
        print(f"{api:24} {' '.join(map(str, sorted(versions))):20} v{top} by {versions[top]}")


def cases(rows, ranges):
    for api, (low, high) in sorted(ranges.items()):
        high = BROKERS_OWN.get(api, high)
        user = rows[api].get(high, OURS)
        if user != OURS:
            print(f"ok   versions: {api} {low}-{high}: v{high} was used by {user}")
        else:
            print(f"FAIL versions: {api} {low}-{high}: no client used v{high}, only {sorted(rows[api])}")


def lacking(ranges):
    """A line 'CASE|API' for each case whose API is not advertised."""
    sys.path.insert(0, str(pathlib.Path(__file__).parents[1] / "python"))
    from catalogue import REQUIRES
    for case, api in REQUIRES.items():
        if api not in ranges:
            print(f"{case}|{api}")


def main():
    if sys.argv[1] == "--lacking":
        lacking(advertised(sys.argv[2]))
        return
    rows = used(sys.argv[1])
    table(rows)
    if len(sys.argv) > 2:
        cases(rows, advertised(sys.argv[2]))


if __name__ == "__main__":
    main()
