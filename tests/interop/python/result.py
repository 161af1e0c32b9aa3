"""Whether what came is what was expected."""

import os
import sys
import time

DEADLINE_S = 60


class Failed(Exception):
    """What was expected and what came instead."""


def same(expected, actual, what):
    """Fails with a short account unless both are equal."""
    if expected == actual:
        return
    if isinstance(expected, list) and isinstance(actual, list) and len(expected) > 8:
        at = next((i for i, (a, b) in enumerate(zip(expected, actual)) if a != b), min(len(expected), len(actual)))
        raise Failed(f"{what}: {len(expected)} expected, {len(actual)} came, the first difference is at {at}: "
                     f"{expected[at:at + 1]!r:.200} and {actual[at:at + 1]!r:.200}")
    raise Failed(f"{what}: {expected!r:.300} expected, {actual!r:.300} came")


def until(what, condition, step=lambda: time.sleep(0.05), seconds=DEADLINE_S):
    """Takes steps until the condition holds; fails when it never does."""
    end = time.monotonic() + seconds
    while not (result := condition()):
        if time.monotonic() > end:
            raise Failed(f"{what}: not within {seconds} s")
        step()
    return result


def lacking():
    """The cases that the broker cannot pass, with the API that it lacks: $INTEROP_LACKING names a file of lines CASE|API."""
    path = os.environ.get("INTEROP_LACKING")
    return dict(line.split("|") for line in open(path).read().splitlines()) if path else {}


def tell(line):
    """A line of the run, whole even where threads tell at the same time."""
    sys.stdout.write(line.replace("\n", " ") + "\n")
    sys.stdout.flush()
