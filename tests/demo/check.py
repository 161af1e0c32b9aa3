"""Compares what the demo wrote with its own reading of the access log.

    mainstem consume access-log --from earliest --exit --output json | check.py lines
    mainstem consume access-log-per-minute --from earliest --exit --output json | check.py counts

It shares nothing with the product: its own parser of the access log, its own minutes. `lines`: each line must be there once,
in each partition in the log's order. `counts`: requests, errors and bytes per minute and status class, each exactly once.
Prints what differs and exits with 1, or says how much it compared.
"""

import collections
import datetime
import gzip
import json
import pathlib
import re
import sys

LOG = pathlib.Path(__file__).parents[1] / "data" / "apache_access.log.gz"
LINES = 10_000
# 83.149.9.216 - - [17/May/2015:10:05:03 +0000] "GET /path HTTP/1.1" 200 203023 "referrer" "agent"
LINE = re.compile(r'\S+ \S+ \S+ \[(?P<time>[^]]+)\] "(?:[^"\\]|\\.)*" (?P<status>\d{3}) (?P<bytes>\d+|-)(?: |$)')
SHOWN = 20


def log_lines():
    lines = gzip.decompress(LOG.read_bytes()).decode().splitlines()
    if len(lines) != LINES:
        sys.exit(f"{LOG.name} holds {len(lines)} lines instead of {LINES}")
    return lines


def counted():
    """Counts per (minute, class) from the log itself."""
    counts = collections.defaultdict(lambda: {"requests": 0, "errors": 0, "bytes": 0})
    for line in log_lines():
        add(counts, line)
    return dict(counts)


def add(counts, line):
    match = LINE.match(line)
    if not match:
        sys.exit(f"a line that this parser does not understand: {line}")
    status = int(match["status"])
    count = counts[minute(match["time"]), f"{status // 100}xx"]
    count["requests"] += 1
    count["errors"] += status >= 400
    count["bytes"] += 0 if match["bytes"] == "-" else int(match["bytes"])


def minute(text):
    time = datetime.datetime.strptime(text, "%d/%b/%Y:%H:%M:%S %z").astimezone(datetime.timezone.utc)
    return time.strftime("%Y-%m-%dT%H:%M:00Z")


def emitted(rows):
    """What the topic holds: (minute, class) and counts, in the order of the rows, repeats included."""
    for row in rows:
        record = json.loads(row)
        key, value = document(record["key"]), document(record["value"])
        yield (key["minute"], key["class"]), {name: value[name] for name in ("requests", "errors", "bytes")}


def document(field):
    """A key or value is a JSON document, printed as text or as it is."""
    return json.loads(field) if isinstance(field, str) else field


def differences(expected, rows):
    seen = {}
    for window, counts in rows:
        if window in seen:
            yield f"{window}: came more than once"
        elif window not in expected:
            yield f"{window}: came with {counts}, though no line falls into it"
        elif counts != expected[window]:
            yield f"{window}: {expected[window]} expected, {counts} came"
        seen[window] = counts
    for window in sorted(expected.keys() - seen.keys()):
        yield f"{window}: never came, {expected[window]} expected"


def check_counts(rows):
    expected = counted()
    fail_with(list(differences(expected, emitted(rows))), len(expected))
    totals = {name: sum(count[name] for count in expected.values()) for name in ("requests", "errors", "bytes")}
    print(f"{len(expected)} windows are right: {totals['requests']} requests, {totals['errors']} errors, {totals['bytes']} bytes")


def check_lines(rows):
    expected, partitions = log_lines(), collections.defaultdict(list)
    for record in map(json.loads, rows):
        partitions[record["partition"]].append(record["value"])
    came = sorted(line for lines in partitions.values() for line in lines)
    wrong = [] if came == sorted(expected) else [f"{len(came)} lines came that are not the {len(expected)} of the log"]
    wrong += [f"partition {number}: not in order" for number, lines in partitions.items() if not is_in_order(lines, expected)]
    fail_with(wrong, len(expected))
    print(f"{len(came)} lines are right, in {len(partitions)} partitions")


def is_in_order(lines, whole):
    """True where `lines` is `whole` with some left out."""
    rest = iter(whole)
    return all(line in rest for line in lines)


def fail_with(wrong, compared):
    for line in wrong[:SHOWN]:
        print(line)
    if wrong:
        sys.exit(f"{len(wrong)} differences in {compared}")


if __name__ == "__main__":
    {"lines": check_lines, "counts": check_counts}[sys.argv[1]](line for line in sys.stdin if line.strip())
