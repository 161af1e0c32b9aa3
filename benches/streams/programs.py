"""The programs: what each reads, how far it must come, and what it must have written. Their code is in ours/programs.rs
and Programs.java."""

import struct

import keyed
import lines

INPUT, TABLE, OUTPUT = "in", "table", "out"
WINDOW_MS, GAP_MS = 1_000, 500
BOUNDS = struct.Struct(">qq")
QUICK_WORDS, WORDS = 1_000_000, 10_000_000
QUICK_RECORDS, RECORDS = 200_000, 4_000_000
QUICK_BYTES, BYTES = 100_000_000, 2_000_000_000


def latest(results, key, value):
    """Folds what says anew what holds for its key."""
    if value is None:
        results.pop(key, None)
    else:
        results[key] = int.from_bytes(value, "big")


def each(results, key, value):
    """Folds what all stays: how many values a key has, and a sum of them."""
    count, total = results.get(key, (0, 0))
    results[key] = count + 1, (total + hash(value)) % 2**64


class WordCount:
    """Splits lines at white space and counts their words behind a repartition topic. The size of a record is the line's."""

    name, unit = "word-count", "words"
    fold = staticmethod(latest)
    # For each partition: one splits and one counts.
    tasks = 2

    def __init__(self, options):
        self.partitions = options.partitions
        wanted = options.records or (QUICK_WORDS if options.quick else WORDS)
        self.copies = lines.copies(wanted)
        self.units = lines.counts().total() * self.copies
        self.stages = {INPUT: len(lines.lines()) * self.copies, f"{self.name}-counts-repartition": self.units}

    def records(self):
        for _ in range(self.copies):
            for number, line in enumerate(lines.lines()):
                yield {"topic": INPUT, "value": line, "partition": number % self.partitions}

    def expected(self):
        return {word.encode(): count * self.copies for word, count in lines.counts().items()}


class Keyed:
    """What programs over records with keys have in common."""

    unit = "records"
    tasks = 1

    def __init__(self, options):
        self.value_bytes = options.bytes
        few, many = (QUICK_RECORDS, QUICK_BYTES) if options.quick else (RECORDS, BYTES)
        self.units = options.records or min(few, many // self.value_bytes)
        self.stages = {INPUT: self.units}

    def input(self):
        return keyed.records(self.units, self.value_bytes)

    def records(self):
        for key, value, at in self.input():
            yield {"topic": INPUT, "key": key, "value": value, "timestamp": at}

    def expected(self):
        results = {}
        for key, value in self.outputs():
            self.fold(results, key, value)
        return results


class Map(Keyed):
    """Takes the first byte from each value: a step without state."""

    name = "map"
    fold = staticmethod(each)

    def outputs(self):
        return ((key, value[1:]) for key, value, _ in self.input())


class Windows(Keyed):
    """Counts the records of each key in windows of a second, and tells of each change."""

    name = "windows"
    fold = staticmethod(latest)

    def expected(self):
        counts = {}
        for key, _, at in self.input():
            start = at - at % WINDOW_MS
            window = key + BOUNDS.pack(start, start + WINDOW_MS)
            counts[window] = counts.get(window, 0) + 1
        return counts


class Sessions(Keyed):
    """Counts the records of each key in sessions that end where nothing comes for longer than half a second."""

    name = "sessions"
    fold = staticmethod(latest)

    def expected(self):
        last, ended = {}, []
        for key, _, at in self.input():
            session = last.get(key)
            if session and at - session[1] <= GAP_MS:
                session[1:] = at, session[2] + 1
            else:
                last[key] = [at, at, 1]
                ended.append((key, last[key]))
        return {key + BOUNDS.pack(start, end): count for key, (start, end, count) in ended}


class Lookup(Keyed):
    """Joins each record with what a table holds for its key; of nine keys in ten it holds something."""

    name = "lookup"
    fold = staticmethod(each)

    def records(self):
        for key, value in keyed.table().items():
            yield {"topic": TABLE, "key": key, "value": value, "timestamp": keyed.BEGIN_MS - 1}
        yield from super().records()

    def outputs(self):
        table = keyed.table()
        return ((key, table[key] + value) for key, value, _ in self.input() if key in table)


PROGRAMS = {program.name: program for program in (WordCount, Map, Windows, Sessions, Lookup)}
