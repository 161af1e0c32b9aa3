"""What the clients' programs share: the access log, the cases, how a result is told, and how a member of a group speaks."""

import argparse
import gzip
import json
import pathlib
import signal
import sys
import threading
import time
import traceback

from result import lacking, same, tell

CODECS = ["none", "gzip", "snappy", "lz4", "zstd"]
LOG = pathlib.Path(__file__).parents[2] / "data" / "apache_access.log.gz"
LINES = gzip.decompress(LOG.read_bytes()).splitlines()
MIB = 1 << 20
LARGE_RECORD_BYTES = 64 << 20
LARGE_BATCH_BYTES = LARGE_RECORD_BYTES + (1 << 20)


class Run:
    """One client's run: prints a line per case and ends with how many there were."""

    def __init__(self, client):
        parser = argparse.ArgumentParser()
        parser.add_argument("--bootstrap", required=True)
        parser.add_argument("--tag", required=True, help="part of each topic's name, new for each run")
        parser.add_argument("--seen", help="what the recording proxy saw")
        parser.add_argument("--case", default="", help="only the cases whose name holds this")
        parser.add_argument("--member", help="be a member of a group that consumes this topic, run no cases")
        parser.add_argument("--group")
        parser.add_argument("--kind", default="eager")
        parser.add_argument("--instance")
        parser.add_argument("--session", type=int)
        parser.add_argument("--regex")
        self.options = parser.parse_args()
        self.client, self.bootstrap, self.cases = client, self.options.bootstrap, 0
        self.lacking = lacking()

    def topic(self, name):
        return f"interop-{self.options.tag}-{self.client}-{name}"

    def case(self, name, body, *arguments):
        """Runs one case; an exception is its failure."""
        if self.options.case not in name:
            return
        if name in self.lacking:
            tell(f"skip {self.client}: {name}: the broker does not serve {self.lacking[name]}")
            return
        self.cases += 1
        start = time.monotonic()
        try:
            body(*arguments)
        except Exception as error:  # a client may raise anything: each is a failed case, and the next one runs
            traceback.print_exc(file=sys.stderr)
            tell(f"FAIL {self.client}: {name}: {type(error).__name__}: {error}")
        else:
            tell(f"ok   {self.client}: {name} ({time.monotonic() - start:.1f} s)")

    def done(self):
        tell(f"done {self.client}: {self.cases} cases")

    def check_codec(self, client_id, codec):
        """Fails unless the proxy saw this client id produce with this compression.

        Batches that would not shrink, such as a first one of a single line, go out uncompressed.
        """
        if not self.options.seen:
            return
        rows = [json.loads(row) for row in open(self.options.seen)]
        codecs = {row["codec"] for row in rows if row["client"] == client_id and row["codec"]}
        same({codec}, codecs - {"none"} or codecs, f"compression that {client_id} produced with")


class Voice:
    """What a member tells of itself (see members.py), and whether it was asked to leave."""

    def __init__(self):
        self.owned, self.leaving = set(), threading.Event()
        signal.signal(signal.SIGTERM, lambda *_: self.leaving.set())

    def assigned(self, partitions):
        self.owned |= set(partitions)
        self.tell()

    def revoked(self, partitions):
        self.owned -= set(partitions)
        self.tell()

    def tell(self):
        print("own", ",".join(map(str, sorted(self.owned))), flush=True)

    @staticmethod
    def row(partition, offset, value):
        print("row", partition, offset, value.decode(), flush=True)
