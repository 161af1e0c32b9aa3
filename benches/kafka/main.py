"""The driver: `run.sh --help` tells how it is called."""

import argparse
import dataclasses
import datetime
import json
import signal
import statistics
import sys

from brokers import machine
from rows import ROWS, Result, Scene


HEAD = "| what | Kafka | Mainstem | ratio | first goal | |\n|---|--:|--:|--:|--:|---|"


def options():
    parser = argparse.ArgumentParser(prog="benches/kafka/run.sh", description="Apache Kafka and Mainstem side by side.")
    parser.add_argument("--row", action="append", choices=list(ROWS), help="only this row; may repeat")
    parser.add_argument("--rounds", type=int, default=3, help="how often each side is measured (3)")
    parser.add_argument("--quick", action="store_true", help="little load, one round")
    parser.add_argument("--record", help="append the results to this file, a JSON object a line")
    parser.add_argument("--table", help="print the table of such a file, rounds of the same row together; measure nothing")
    parser.add_argument("--list", action="store_true", help="name the rows")
    return parser.parse_args()


def main():
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("stopped"))  # so that the brokers are stopped as well
    chosen = options()
    if chosen.list:
        print("\n".join(ROWS))
    elif chosen.table:
        print_table(recorded(chosen.table))
    else:
        measure(chosen)


def measure(chosen):
    print(f"{datetime.date.today()} {machine()}", flush=True)
    print(HEAD, flush=True)
    for row in chosen.row or ROWS:
        print(f"measuring {row} …", file=sys.stderr, flush=True)
        scene = Scene(1 if chosen.quick else chosen.rounds, chosen.quick)
        try:
            for result in ROWS[row](scene):
                print(line(result), flush=True)
                record(chosen.record, result)
        finally:
            scene.close()


def record(path, result):
    if path:
        with open(path, "a") as file:
            file.write(json.dumps({"at": datetime.datetime.now().isoformat(), "result": dataclasses.asdict(result)}) + "\n")


def recorded(path):
    """The results of a file. Several runs of a row add to its rounds."""
    results = {}
    for line in open(path):
        result = Result(**json.loads(line)["result"])
        known = results.setdefault((result.row, result.what), result)
        if known is not result:
            known.kafka += result.kafka
            known.mainstem += result.mainstem
    return results.values()


def print_table(results):
    print(HEAD)
    for result in results:
        print(line(result))


def line(result):
    ratios = [ours / theirs for theirs, ours in zip(result.kafka, result.mainstem)]
    goal, stands = judged(result, result.mainstem if result.absolute else ratios)
    cells = [f"{result.what}, {result.unit}", spread(result.kafka), spread(result.mainstem), spread(ratios), goal, stands]
    return f"| {' | '.join(cells)} |"


def judged(result, values):
    """The goal, and whether the median reaches it."""
    if result.limit is None:
        return "", ""
    middle, sign = statistics.median(values), "≥" if result.at_least else "≤"
    reached = middle >= result.limit if result.at_least else middle <= result.limit
    unit = f" {result.unit}" if result.absolute else ""
    return f"{sign} {number(result.limit)}{unit}", "reached" if reached else "**missed**"


def spread(values):
    """The median, and from where to where."""
    if not values:
        return ""
    if len(values) == 1:
        return number(values[0])
    return f"{number(statistics.median(values))} ({number(min(values))} to {number(max(values))})"


def number(value):
    """Three digits that count."""
    if abs(value) >= 1000:
        return f"{value:,.0f}"
    return f"{value:.0f}" if abs(value) >= 100 else f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"


main()
