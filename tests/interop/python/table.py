"""docs/clients.md: what each client did in a full run.

    table.py write FILE RESULTS...     makes the page of the results
    table.py check FILE RESULTS...     a line of the run: whether the page has the same cells; versions may differ

A result file begins with `==== CLIENT VERSION`; its lines are those of the clients' programs.
"""

import difflib
import pathlib
import re
import sys

from catalogue import ABSENT, CASES, CLIENTS, TABLES

HEAD = """# Clients

Each of these clients runs unchanged against Mainstem; the same programs hold on Apache Kafka. The tables are what the newest
run found: `ok`, **failed**, or – where the client has no such feature, with a note.

<!-- Made by `tests/interop/run.sh --write`; the run fails while it finds something else. -->
"""

MEANINGS = """## What the columns mean

| column | what is done |
|---|---|
| none, gzip, snappy, lz4, zstd | 10,000 lines are produced with this compression, which the wire is looked at for, and read back the same and in order |
| headers, nulls | headers with a key twice, with null and empty values; null and empty keys and values |
| 1 MiB | one record of 1 MiB |
| join | a member has all four partitions; when a second one joins, they share, and take every record once fed |
| leave | a member leaves in order; the other takes over |
| crash | a member is killed; after its session of six seconds the other takes over |
| restart | the last member commits and leaves, records come, a new member begins with exactly these |
| static member | a member with an instance id ends and comes back within its session: it has the same partitions, the other member hears nothing |
| cooperative-sticky | members join and leave; who stays never hands in what stays with it |
| regex | an expression that the broker evaluates finds its topic, and not the one with a longer name |
| migration | two members of the classic protocol give way to two of the new one, one by one, and back, while records flow: each record is taken once (Java's 3.9 repeats some, on Kafka as well), the committed offsets are the ends |
| committed | records of two transactions are read in their order by a reader of what is committed |
| aborted | the records of an aborted transaction are passed over, those of the next are read |
| fenced | a second producer takes the transactional id: what the first has open is aborted, and its commit refused |
| timed out | a transaction that is open for longer than its timeout is aborted, and its commit refused |
| with offsets | a group's offset is set by a transaction that is committed, and not by one that is aborted |
| by time | a group's offset is set to the first record at or after a time; a member begins there |
| topics | a topic is created with settings, described, deleted |
| partitions | one partition becomes three, and the third takes a record |
| settings | a topic's settings are altered and described |
| groups | a group is listed, described with its member, deleted |
| offsets | a group's committed offset is deleted |

"Groups of the new protocol" are those of `group.protocol=consumer` (KIP-848). The programs are in
[tests/interop](../tests/interop/README.md), where each client also has cases of its own.
"""


class Results:
    """Of each client its version and what became of each case."""

    def __init__(self, paths):
        self.versions, self.states = {}, {}
        for path in paths:
            self.read(pathlib.Path(path).read_text(errors="replace").splitlines())

    def read(self, lines):
        _, client, version = lines[0].split(" ", 2)
        self.versions[client] = version
        for line in lines[1:]:
            found = re.match(r"(ok  |FAIL|skip) \S+: (.*)", line)
            case = found and next((case for case in CASES if found[2].startswith(case)), None)
            if case:
                self.states[client, case] = {"ok  ": "ok", "FAIL": "**failed**", "skip": "–"}[found[1]]

    def cell(self, client, case):
        return "–" if case in ABSENT[client] else self.states.get((client, case), "**failed**")


class Page:
    def __init__(self, results):
        self.results, self.notes = results, []

    def text(self):
        parts = [HEAD, *(self.table(name, columns) for name, columns in TABLES.items()), MEANINGS]
        notes = "".join(f"[^{number}]: It {note}.\n" for number, note in enumerate(self.notes, 1))
        return "\n".join(parts) + "\n" + notes

    def table(self, name, columns):
        rows = [f"## {name}\n", f"| client | version | {' | '.join(columns)} |", "|---" * (len(columns) + 2) + "|"]
        for client, shown in CLIENTS.items():
            cells = [self.results.cell(client, case) + self.note(client, case) for case in columns.values()]
            rows.append(f"| {shown} | {self.results.versions.get(client, '?')} | {' | '.join(cells)} |")
        return "\n".join(rows) + "\n"

    def note(self, client, case):
        reason = ABSENT[client].get(case)
        if not reason:
            return ""
        if reason not in self.notes:
            self.notes.append(reason)
        return f"[^{self.notes.index(reason) + 1}]"


def cells(text):
    """The page without versions."""
    return [re.sub(r"^(\| [^|]+ \|) [^|]+ \|", r"\1", line) for line in text.splitlines() if line.startswith("|")]


def main():
    command, path, *results = sys.argv[1:]
    made, page = Page(Results(results)).text(), pathlib.Path(path)
    if command == "write":
        page.write_text(made)
        return
    committed = page.read_text() if page.exists() else ""
    different = list(difflib.unified_diff(cells(committed), cells(made), "docs/clients.md", "this run", lineterm="", n=0))
    if different:
        print(*different, sep="\n", file=sys.stderr)
        print("FAIL table: docs/clients.md has other cells than this run; run.sh --write makes it anew")
    else:
        print("ok   table: docs/clients.md has what this run found")


if __name__ == "__main__":
    main()
