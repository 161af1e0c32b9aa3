"""The driver: `run.sh --help` tells how it is called."""

import argparse
import dataclasses
import datetime
import json
import os
import pathlib
import shlex
import signal
import statistics
import subprocess
import sys

from brokers import machine
from measure import Measurement, measure
from programs import PROGRAMS, Keyed
from sides import SIDES

VALUE_BYTES = [100, 1024]
NAMES = {"kafka": "Streams on Kafka", "mainstem": "Mainstem", "beside": "Mainstem in one process"}
ROWS = {
    "{unit} per CPU second": lambda one: one.rate,
    "the same behind the middle": lambda one: one.late_rate,
    "CPU seconds of both": lambda one: sum(one.cpu),
    "those of the broker alone": lambda one: one.cpu[0] if len(one.cpu) > 1 else None,
    "seconds": lambda one: one.seconds,
    "resident memory of both, MiB": lambda one: sum(one.memory),
    "records in the topic of results": lambda one: one.results,
}


def options():
    parser = argparse.ArgumentParser(prog="benches/streams/run.sh", description="Kafka Streams and Mainstem side by side.")
    parser.add_argument("--program", choices=list(PROGRAMS), action="append", help="only this program; may repeat")
    parser.add_argument("--bytes", type=int, action="append", help="only values of so many; may repeat (100 and 1024)")
    parser.add_argument("--records", type=int, help="or at least so many words (four million records or 2 GB, ten million words)")
    parser.add_argument("--rounds", type=int, default=2, help="how often each side is measured (2)")
    parser.add_argument("--quick", action="store_true", help="few records, one round")
    parser.add_argument("--partitions", type=int, default=2, help="of each topic (2)")
    parser.add_argument("--durability", choices=["os", "fsync"], default="os",
                        help="of our broker: answer before (os, as Kafka does) or after the sync")
    parser.add_argument("--set", action="append", default=[], metavar="NAME=VALUE",
                        help="a setting of Kafka Streams; commits must stay frequent, they are how progress is seen")
    parser.add_argument("--record", help="append the measurements to this file, a JSON object a line")
    parser.add_argument("--table", help="print the table of such a file and measure nothing")
    parser.add_argument("--side", choices=list(SIDES), action="append", help="only this side; may repeat")
    parser.add_argument("--one", type=json.loads, metavar="JSON", help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    chosen.rounds = 1 if chosen.quick else chosen.rounds
    return chosen


def main():
    chosen = options()
    # So that the processes of a measurement end with it.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("told to stop"))
    if chosen.table:
        tables([Measurement(**json.loads(line)) for line in open(chosen.table)])
    elif chosen.one:
        print(json.dumps(dataclasses.asdict(here(argparse.Namespace(**chosen.one)))))
    else:
        print(f"{datetime.date.today()} {machine()}", flush=True)
        for row in rows(chosen):
            table([alone(row | {"side": side}, chosen) for _ in range(chosen.rounds) for side in chosen.side or SIDES])


def rows(chosen):
    """What is measured: the programs, each with each size of values."""
    shared = {name: getattr(chosen, name) for name in ("records", "quick", "partitions", "durability", "set")}
    for name in chosen.program or PROGRAMS:
        sizes = chosen.bytes or VALUE_BYTES
        for size in sizes if issubclass(PROGRAMS[name], Keyed) else [None]:
            yield shared | {"program": name, "bytes": size}


def here(one):
    program = PROGRAMS[one.program](one)
    return measure(SIDES[one.side](program, one), program, one)


def alone(one, chosen):
    """A measurement in a process of its own, so that WRAP holds for each by itself."""
    print(f"measuring {one['program']} {one['bytes'] or ''} {one['side']} …", file=sys.stderr, flush=True)
    command = [*shlex.split(os.environ.get("WRAP", "")), sys.executable, __file__, "--one", json.dumps(one)]
    line = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout.splitlines()[-1]
    if chosen.record:
        with pathlib.Path(chosen.record).open("a") as file:
            file.write(line + "\n")
    return Measurement(**json.loads(line))


def tables(measured):
    """A table for each program and size, in the order in which they came."""
    rows = {}
    for one in measured:
        rows.setdefault((one.program, one.bytes, one.units), []).append(one)
    for row in rows.values():
        table(row)


def table(measured):
    """A column for each side that was measured; behind ours, the ratio to the first one, round by round."""
    columns = {side: [one for one in measured if one.side == side] for side in SIDES}
    columns = {side: rounds for side, rounds in columns.items() if rounds}
    first, *others = columns
    heads = [NAMES[first], *(cell for side in others for cell in (NAMES[side], "ratio"))]
    one, unit = measured[0], PROGRAMS[measured[0].program].unit
    of_bytes = f" of {one.bytes:,} B" if one.bytes else ""
    print(f"\n| {one.program}, {one.units:,} {unit}{of_bytes} | {' | '.join(heads)} |\n|---|{'--:|' * len(heads)}")
    for what, of in ROWS.items():
        values = {side: [of(one) for one in rounds] for side, rounds in columns.items()}
        cells = [spread(values[first])]
        for side in others:
            cells += [spread(values[side]), spread(ratios(values[first], values[side]))]
        print(f"| {what.format(unit=unit)} | {' | '.join(cells)} |", flush=True)


def ratios(theirs, ours):
    return [b / a for a, b in zip(theirs, ours) if None not in (a, b)]


def spread(values):
    """The median, and from where to where."""
    if not values or None in values:
        return ""
    if len(set(values)) < 2:
        return number(values[0])
    return f"{number(statistics.median(values))} ({number(min(values))} to {number(max(values))})"


def number(value):
    return f"{value:,.0f}" if value >= 100 else f"{value:.1f}" if value >= 10 else f"{value:.2f}"


main()
