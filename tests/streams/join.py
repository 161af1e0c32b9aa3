"""The outer join of two streams: events in, the pairs that must come out, and what is wrong with those that did."""

import collections

# As Join.java has them, milliseconds.
WINDOW, GRACE = 13_000, 13_000
EVENTS, KEYS, APART = 12_000, 2_000, 5
# An event comes behind others that are at most so much younger. With what one side may be ahead of the other, which is at
# most a piece of the input (ten seconds), this stays within the window and its grace: Kafka Streams takes an older event
# for one whose partners have all been, and tells that it is alone while some may still come.
DISORDER = 2_000
INPUTS = ("left", "right")


def records(random, partitions, begin):
    """(topic, partition, key, value, timestamp) of each event."""
    events = []
    for number in range(EVENTS):
        side, key, at = random.choice(INPUTS), random.randrange(KEYS), number * APART
        event = side, key % partitions, f"key{key}", f"{side[0]}{number}", begin + at
        events.append((at + random.randrange(DISORDER), event))
    return [event for _, event in sorted(events)]


def closing(partitions, begin):
    """Events so late that all windows are over."""
    end = begin + EVENTS * APART + WINDOW + GRACE + 1
    return [(side, number, f"end{number}", f"{side[0]}end{number}", end) for number in range(partitions) for side in INPUTS]


def expected(records):
    """How often each result must be there: (key, value) to 1."""
    sides = {side: collections.defaultdict(list) for side in INPUTS}
    for side, _, key, value, at in records:
        sides[side][key].append((at, value))
    left, right = sides["left"], sides["right"]
    pairs = [(key, one, other) for key in left for one in left[key] for other in right[key] if near(one, other)]
    paired = {value for _, one, other in pairs for _, value in (one, other)}
    together = [(key, f"{one}+{other}") for key, (_, one), (_, other) in pairs]
    alone = [(key, f"{value}+null") for key in left for _, value in left[key] if value not in paired]
    alone += [(key, f"null+{value}") for key in right for _, value in right[key] if value not in paired]
    return dict(collections.Counter(together + alone))


def near(one, other):
    return abs(one[0] - other[0]) <= WINDOW


def results(answer):
    return sum(answer.values())


def fold(found):
    return dict(collections.Counter(found))


def wrong(found, answer):
    counted = fold(found)
    both = sorted(counted.keys() | answer.keys())
    return [f"{key}: {value} {counted.get((key, value), 0)} times for {answer.get((key, value), 0)}"
            for key, value in both if counted.get((key, value), 0) != answer.get((key, value), 0)]
