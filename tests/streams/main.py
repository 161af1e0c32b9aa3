"""The driver: main.py [--seed N] [--only TEXT] FOLDER BROKER=HOST:PORT..., ends with 'N passed, N failed'."""

import argparse
import concurrent.futures
import itertools
import random
import threading
import time
import traceback

import join
import words
from run import Run

# Transactions so long that who is paused has one open.
LONGER = {"commit.interval.ms": 1_000}
RUNS = (
    Run("words-two", "words", ("pause", "kill"), instances=2, settings=LONGER),
    Run("join-two", "join", ("pause", "wipe"), instances=2, settings=LONGER),
    Run("words-alone", "words", ("kill", "wipe", "kill")),
    Run("join-alone", "join", ("kill", "wipe", "kill")),
)
# Commits that come seldom and are no transactions: what a kill interrupts is done twice, and that must be seen.
CARELESS = {"processing.guarantee": "at_least_once", "commit.interval.ms": 4_000}
PLANTED = (
    Run("words-careless", "words", ("kill",), settings=CARELESS),
    Run("join-careless", "join", ("kill",), settings=CARELESS),
)
# At the same time; most of a run is waiting for sessions and transactions to time out.
RUNS_AT_ONCE = 4
COMPLAINTS_SHOWN = 40


class Tally:
    def __init__(self):
        self.passed, self.failed, self.lock = 0, 0, threading.Lock()

    def case(self, name, complaints):
        """A case holds if there are no complaints."""
        with self.lock:
            self.passed, self.failed = self.passed + (not complaints), self.failed + bool(complaints)
            print(f"FAIL {name}: {len(complaints)} complaints" if complaints else f"ok {name}", flush=True)
            for complaint in complaints[:COMPLAINTS_SHOWN]:
                print(f"    {complaint}", flush=True)


def options():
    parser = argparse.ArgumentParser(prog="tests/streams/run.sh", description="Kafka Streams with exactly_once_v2.")
    parser.add_argument("--seed", type=int, default=7, help="of the input and of the points at which something happens (7)")
    parser.add_argument("--only", default="", help="only runs with this in their names")
    parser.add_argument("folder")
    parser.add_argument("brokers", nargs="+", metavar="NAME=HOST:PORT")
    chosen = parser.parse_args()
    chosen.brokers = dict(broker.split("=", 1) for broker in chosen.brokers)
    return chosen


def main():
    chosen, tally = options(), Tally()
    doctored(chosen, tally)
    answers = {broker: on(broker, chosen, tally) for broker in chosen.brokers}
    for one, other in itertools.combinations(answers, 2):
        for name in answers[one].keys() & answers[other].keys():
            same = answers[one][name] == answers[other][name]
            tally.case(f"{name}: {one} and {other} have the same answer", [] if same else ["they differ"])
    print(f"{tally.passed} passed, {tally.failed} failed")
    return 0 if tally.passed and not tally.failed else 1


def on(broker, chosen, tally):
    """All runs on the broker; the answers of those that came to an end."""
    def play(run):
        begin = time.monotonic()
        try:
            outcome = run.play(chosen.brokers[broker], f"{chosen.folder}/{broker}", chosen.seed)
        except Exception:  # A run that breaks does not keep the others from being told of.
            tally.case(f"{broker} {run.name}", traceback.format_exc(limit=-1).splitlines())
            return None
        if run in PLANTED:
            tally.case(f"{broker} {run.name}: what was done twice is found", [] if outcome.complaints else ["nothing was found"])
            return None
        tally.case(f"{broker} {run.name}", outcome.complaints)
        print(f"   {time.monotonic() - begin:.0f} s", flush=True)
        if "pause" in run.events:
            tally.case(f"{broker} {run.name}: who was paused finds itself replaced", [] if outcome.replaced else ["nobody was"])
        return outcome.answer

    runs = [run for run in RUNS + PLANTED if chosen.only in run.name]
    with concurrent.futures.ThreadPoolExecutor(RUNS_AT_ONCE) as pool:
        answers = dict(zip([run.name for run in runs], pool.map(play, runs)))
    return {name: answer for name, answer in answers.items() if answer is not None}


def doctored(chosen, tally):
    """What would be wrong with results is seen, whatever it is."""
    for kind in (words, join):
        name = kind.__name__
        answer = kind.expected(list(kind.records(random.Random(chosen.seed), 4, 0)))
        right = perfect(kind, answer)
        at = random.Random(chosen.seed).randrange(len(right) // 2)
        key, value = right[at]
        tally.case(f"{name}: perfect results", kind.wrong(right, answer))
        for fault, results in {
            "a lost result": right[:at] + right[at + 1:],
            "a result twice": right[:at + 1] + right[at:],
            "a wrong result": right[:at] + [(key, value + "0")] + right[at + 1:],
            "a result from nowhere": right + [("nobody", "1")],
            "lost results at the end": right[:-20],
        }.items():
            tally.case(f"{name}: {fault} is found", [] if kind.wrong(results, answer) else ["it is not"])


def perfect(kind, answer):
    if kind is words:
        return [(word, str(count)) for word, last in answer.items() for count in range(1, last + 1)]
    return list(answer)


if __name__ == "__main__":
    raise SystemExit(main())
