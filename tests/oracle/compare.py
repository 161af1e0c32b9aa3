"""Whether two sides have said the same, and where not."""

import collections

import scenes


def results(text):
    """(key, value, time) of each result, by scene."""
    found = {}
    for line in text.splitlines():
        if line.startswith("scene "):
            rows = found[line.split(" ")[1]] = []
        else:
            key, value, time = line.split("\t")
            # Those of the closing records are none: whether their windows are over is for the next record to say.
            if not key.startswith(scenes.CLOSING):
                rows.append((key, value, int(time)))
    return found


def differences(case, kafka, ours):
    """What one side has said and the other has not."""
    if case.is_unordered:
        kafka, ours = unordered(kafka), unordered(ours)
    if case.ignores_times:
        kafka, ours = ([(key, value, 0) for key, value, _ in rows] for rows in (kafka, ours))
    return HOW[case.how](kafka, ours)


def unordered(rows):
    return [(key, ",".join(sorted(value.split(","))), time) for key, value, time in rows]


def as_list(kafka, ours):
    """The same results in the same order."""
    at = next((at for at, pair in enumerate(zip(kafka, ours)) if pair[0] != pair[1]), min(len(kafka), len(ours)))
    return [f"result {at}: {shown(kafka[at:at + 1])} for Kafka Streams, {shown(ours[at:at + 1])} for ours"] if kafka != ours else []


def as_keyed(kafka, ours):
    """The same results of each key in the same order."""
    return as_list(*(sorted(rows, key=lambda row: row[0]) for rows in (kafka, ours)))


def as_bag(kafka, ours):
    """The same results, each as often, in any order."""
    kafka, ours = collections.Counter(kafka), collections.Counter(ours)
    return [f"{row}: {kafka[row]} times for Kafka Streams, {ours[row]} for ours" for row in sorted(kafka | ours) if kafka[row] != ours[row]]


def as_fold(kafka, ours):
    """The same last results of each key; null takes a key out."""
    kafka, ours = folded(kafka), folded(ours)
    return [f"{key}: {kafka.get(key)} for Kafka Streams, {ours.get(key)} for ours"
            for key in sorted(kafka.keys() | ours.keys()) if kafka.get(key) != ours.get(key)]


def folded(rows):
    last = {key: (value, time) for key, value, time in rows}
    return {key: row for key, row in last.items() if row[0] != "\\N"}


def shown(rows):
    return rows[0] if rows else "nothing"


HOW = {"list": as_list, "keyed": as_keyed, "bag": as_bag, "fold": as_fold}
