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
from sides import SIDES

QUICK_WORDS, WORDS = 1_000_000, 10_000_000
NAMES = {"kafka": "Streams on Kafka", "mainstem": "Mainstem", "beside": "Mainstem in one process"}
ROWS = {
    "words per CPU second": lambda one: one.rate,
    "the same behind the middle": lambda one: one.late_rate,
    "CPU seconds of both": lambda one: sum(one.cpu),
    "those of the broker alone": lambda one: one.cpu[0] if len(one.cpu) > 1 else None,
    "seconds": lambda one: one.seconds,
    "resident memory of both, MiB": lambda one: sum(one.memory),
    "records in the topic of counts": lambda one: one.results,
}


def options():
    parser = argparse.ArgumentParser(prog="benches/streams/run.sh", description="Kafka Streams and Mainstem side by side.")
    parser.add_argument("--words", type=int, help=f"at least so many words ({WORDS:,}; with --quick {QUICK_WORDS:,})")
    parser.add_argument("--rounds", type=int, default=2, help="how often each side is measured (2)")
    parser.add_argument("--quick", action="store_true", help="few words, one round")
    parser.add_argument("--partitions", type=int, default=2, help="of each topic; twice as many tasks and threads (2)")
    parser.add_argument("--durability", choices=["os", "fsync"], default="os",
                        help="of our broker: answer before (os, as Kafka does) or after the sync")
    parser.add_argument("--set", action="append", default=[], metavar="NAME=VALUE",
                        help="a setting of Kafka Streams; commits must stay frequent, they are how progress is seen")
    parser.add_argument("--record", help="append the measurements to this file, a JSON object a line")
    parser.add_argument("--table", help="print the table of such a file and measure nothing")
    parser.add_argument("--side", choices=list(SIDES), action="append", help="only this side; may repeat")
    parser.add_argument("--one", choices=list(SIDES), help="measure this side once and print a JSON object")
    chosen = parser.parse_args()
    chosen.words = chosen.words or (QUICK_WORDS if chosen.quick else WORDS)
    chosen.rounds = 1 if chosen.quick else chosen.rounds
    return chosen


def main():
    chosen = options()
    # So that the processes of a measurement end with it.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("told to stop"))
    if chosen.table:
        table([Measurement(**json.loads(line)) for line in open(chosen.table)])
    elif chosen.one:
        print(json.dumps(dataclasses.asdict(measure(SIDES[chosen.one](chosen), chosen))))
    else:
        print(f"{datetime.date.today()} {machine()}", flush=True)
        table([alone(side, chosen) for _ in range(chosen.rounds) for side in chosen.side or SIDES])


def alone(side, chosen):
    """A measurement in a process of its own, so that WRAP holds for each by itself."""
    print(f"measuring {side} …", file=sys.stderr, flush=True)
    command = [*shlex.split(os.environ.get("WRAP", "")), sys.executable, __file__, "--one", side]
    for name in ("words", "partitions", "durability"):
        command += [f"--{name}", str(getattr(chosen, name))]
    command += [f"--set={setting}" for setting in chosen.set]
    line = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout.splitlines()[-1]
    if chosen.record:
        with pathlib.Path(chosen.record).open("a") as file:
            file.write(line + "\n")
    return Measurement(**json.loads(line))


def table(measured):
    """A column for each side that was measured; behind ours, the ratio to the first one, round by round."""
    columns = {side: [one for one in measured if one.side == side] for side in SIDES}
    columns = {side: rounds for side, rounds in columns.items() if rounds}
    first, *others = columns
    heads = [NAMES[first], *(cell for side in others for cell in (NAMES[side], "ratio"))]
    print(f"| {measured[0].words:,} words | {' | '.join(heads)} |\n|---|{'--:|' * len(heads)}")
    for what, of in ROWS.items():
        values = {side: [of(one) for one in rounds] for side, rounds in columns.items()}
        cells = [spread(values[first])]
        for side in others:
            cells += [spread(values[side]), spread(ratios(values[first], values[side]))]
        print(f"| {what} | {' | '.join(cells)} |")


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
