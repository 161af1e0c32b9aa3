"""Random scenes: programs with their numbers, and the records that they get.

A file of scenes has a line `scene NAME CASE NUMBER=VALUE...` for each, and behind it a line for each record: topic, time in
milliseconds, key and value, with tabs between them and `\\N` for null. What both sides print has the same heads, and key, value and
time of each result.
"""

import dataclasses
import random

BEGIN = 1_000_000_000
KEYS = ("a", "b", "c", "dd")
NULL = "\\N"
# Far behind everything, so that all windows close.
END = BEGIN + 10_000_000
CLOSING = "end"


@dataclasses.dataclass
class Case:
    # How results are compared, see compare.py.
    how: str
    topics: tuple = ("in",)
    # Whether records come that are too late for their windows.
    has_late: bool = True
    # Whether records may have null as their keys and values.
    null_keys: bool = True
    null_values: bool = True
    # Values in the order of their coming may be in another one.
    is_unordered: bool = False
    # Results bear other times.
    ignores_times: bool = False
    # A record that is late for one of its windows is so for all.
    is_late_for_all: bool = False
    # Late records are kept from Kafka Streams.
    hides_late: bool = False


def cases():
    found = {"steps": Case("keyed"), "words": Case("fold"), "counts": Case("fold"), "limit": Case("bag")}
    for kind in ("tumbling", "hopping", "sliding", "session"):
        # Sliding windows of Kafka Streams take no nulls, the others do.
        nulls = kind != "sliding"
        for emission in ("each", "close", "suppress"):
            # Results of closed windows bear the windows' ends, those of Kafka Streams the times of their last records.
            # Kafka Streams shows a sliding window once too early, when its last millisecond has begun.
            how = "fold" if emission == "each" or (kind, emission) == ("sliding", "suppress") else "bag"
            # Kafka Streams opens closed sessions again, as long as it keeps them, or shows one too early.
            has_late = emission == "each" or kind != "session"
            found[f"{kind}-{emission}"] = Case(how, has_late=has_late, null_values=nulls, is_unordered=kind == "session",
                                               is_late_for_all=kind == "sliding", ignores_times=emission == "close")
    for how in ("inner", "left", "outer"):
        found[f"streams-{how}"] = Case("bag", topics=("left", "right"), has_late=False)
        found[f"apart-{how}"] = Case("bag", hides_late=True)
        # Null for what is not there renews the time of Kafka Streams' result.
        found[f"tables-{how}"] = Case("fold", topics=("left", "right"), ignores_times=True)
    for how in ("inner", "left"):
        found[f"lookup-{how}"] = Case("list", topics=("left", "right"))
        # Ours bear the later time of both values, those of Kafka Streams that of the side that has changed.
        found[f"foreign-{how}"] = Case("fold", topics=("left", "right"), ignores_times=True)
    found["versions"] = Case("list", topics=("left", "right"))
    # In ours what waits ends with the input, where Kafka Streams has it wait for another record; a left join with a grace
    # of Kafka Streams fails for a null key.
    for how in ("inner", "left"):
        found[f"settled-{how}"] = Case("bag", topics=("left", "right"), has_late=False, null_keys=how == "inner")
    found["groups"] = Case("fold", is_unordered=True)
    return found


CASES = cases()


@dataclasses.dataclass
class Scene:
    name: str
    case: str
    numbers: dict
    # (topic, time, key, value)
    records: list

    def text(self, records):
        head = " ".join(["scene", self.name, self.case, *(f"{name}={value}" for name, value in self.numbers.items())])
        fields = ("\t".join(NULL if field is None else str(field) for field in record) for record in records)
        return "\n".join([head, *fields]) + "\n"

    def late(self, record, latest):
        return record[1] + self.numbers["grace"] < latest

    def for_kafka(self):
        """The records, without those that are too late for ours where the difference is intended."""
        if not CASES[self.case].hides_late:
            return self.records
        latest, kept = 0, []
        for record in self.records:
            latest = max(latest, record[1])
            # What has no key finds no partner, whenever it comes.
            if not self.late(record, latest) or record[2] is None:
                kept.append(record)
        return kept


def scene(name, seed):
    case, chance = CASES[name], random.Random(f"{name} {seed}")
    numbers = {"batch": chance.choice((1, 1, 3, 7)), "size": chance.randrange(5, 80), "grace": chance.choice((0, 1, 10, 30, 60))}
    numbers["advance"] = chance.randrange(max(1, numbers["size"] // 6), numbers["size"] + 1)
    numbers["before"], numbers["after"] = chance.randrange(20, 60), chance.randrange(20, 60)
    numbers["limit"], numbers["history"] = chance.randrange(1, 100), 2 * (END - BEGIN)
    if not case.has_late:
        numbers["grace"] = max(numbers["grace"], 10)
    return Scene(f"{name}-{seed}", name, numbers, list(records(case, name, numbers, chance)))


def records(case, name, numbers, chance):
    # Kafka Streams gives up a record whose partners have all been by the time of the fastest, without regard to the grace.
    disorder = min(numbers["before"], numbers["after"], numbers["grace"] - 1) if not case.has_late else 30
    if case.hides_late:
        disorder = min(numbers["before"], numbers["after"])
    now = latest = BEGIN + chance.randrange(1000)
    for number in range(chance.randrange(30, 150)):
        now += chance.choice((0, 0, 1, 2, 5, 13)) + (chance.randrange(300) if chance.random() < 0.03 else 0)
        time = now - (chance.randrange(disorder + 1) if chance.random() < 0.4 else 0)
        if case.has_late and not case.hides_late and chance.random() < 0.1:
            time = now - chance.randrange(4 * (numbers["size"] + numbers["grace"]))
        if case.is_late_for_all and latest - time > numbers["grace"]:
            time = latest - numbers["grace"] - numbers["size"] - 1 - chance.randrange(30)
        key, value = chance.choice(KEYS), text(name, number, chance)
        # Kafka Streams leaves such records out before they move its time.
        if number and case.null_keys and chance.random() < 0.03:
            key, time = None, min(time, latest)
        if number and case.null_values and chance.random() < 0.1:
            value, time = None, min(time, latest)
        topic = chance.choice(case.topics)
        # What is looked up may come as late as it will, other than what it is looked up in.
        if name.startswith("settled") and topic == "left" and chance.random() < 0.1:
            time = now - chance.randrange(4 * numbers["grace"])
        latest = max(latest, time)
        if name.startswith("foreign") and topic == "right" and key is not None:
            key = chance.choice("0123456789")
        yield topic, time, key, value
    for topic in case.topics:
        yield topic, END, CLOSING, text(name, 999, chance)


def text(name, number, chance):
    if name == "words":
        return " ".join(chance.choice(("to", "be", "or", "not")) for _ in range(chance.randrange(5)))
    if name.startswith("apart"):
        return f"{chance.choice('lr')}{number}"
    return f"v{number}"
