"""The driver: main.py [--seeds A..B] [--only TEXT] FOLDER, ends with 'N passed, N failed'."""

import argparse
import dataclasses
import os
import pathlib
import subprocess

import compare
import flights
import readings
import real
import scenes

LIMIT_S = 300
SHOWN = 6
# What must be seen, by what cases begin with; in so many scenes it is. A number that is larger by a few milliseconds:
MORE_MS, TELLING_SCENES = 3, 8
TELLING = {"tumbling": "size", "hopping": "advance", "sliding": "size", "session": "size", "streams": "before", "apart": "after", "limit": "limit"}
# A program that is wrong, which ours/cases.rs builds for a number, or other numbers make of it:
WRONG = {
    "tables": ("sides that have changed places", {"wrong": 1}),
    "foreign": ("sides that have changed places", {"wrong": 1}),
    "lookup": ("sides that have changed places", {"wrong": 1}),
    "versions": ("a join with what the table holds when the record comes", {"wrong": 1}),
    "groups": ("values that are not taken back", {"wrong": 1}),
    "settled": ("a join that waits for no values of the table", {"grace": 0}),
}


class Tally:
    def __init__(self):
        self.passed, self.failed = 0, 0

    def case(self, name, complaints):
        """A case holds if there are no complaints."""
        self.passed, self.failed = self.passed + (not complaints), self.failed + bool(complaints)
        print(f"FAIL {name}" if complaints else f"ok {name}", flush=True)
        for complaint in complaints[:SHOWN]:
            print(f"    {complaint}", flush=True)


def options():
    parser = argparse.ArgumentParser(prog="tests/oracle/run.sh", description="The same random input for Kafka Streams and for our processor.")
    parser.add_argument("--seeds", default="0..8", help="of the scenes of each case (0..8), the last one not among them")
    parser.add_argument("--only", default="", help="only cases with this in their names")
    parser.add_argument("folder", type=pathlib.Path)
    chosen = parser.parse_args()
    first, _, end = chosen.seeds.partition("..")
    chosen.seeds = range(int(first), int(end) if end else int(first) + 1)
    return chosen


def main():
    chosen, tally = options(), Tally()
    played = [scenes.scene(name, seed) for name in scenes.CASES if chosen.only in name for seed in chosen.seeds]
    kafka = of_kafka(chosen.folder, "".join(scene.text(scene.for_kafka()) for scene in played))
    ours = of_ours(chosen.folder, "".join(scene.text(scene.records) for scene in played))
    by_case(played, kafka, ours, tally)
    doctored(played, kafka, tally)
    if len(chosen.seeds) >= TELLING_SCENES:
        told(chosen.folder, played, kafka, tally)
    for events in (flights, readings):
        if events.NAME.startswith(chosen.only):
            of_real(events, chosen.folder, tally)
    print(f"{tally.passed} passed, {tally.failed} failed")
    return 0 if tally.passed and not tally.failed else 1


def of_kafka(folder, text):
    java = ["java", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-Xmx512m", f"-Doracle.state={folder}/state",
            "-Dorg.slf4j.simpleLogger.defaultLogLevel=error", "-cp", f"{os.environ['ORACLE_CLASSES']}:{os.environ['ORACLE_JARS']}/*", "Oracle"]
    return results(folder / "kafka.in", text, java)


def of_ours(folder, text):
    return results(folder / "ours.in", text, [os.environ["ORACLE_BINARY"]])


def results(file, text, command):
    file.write_text(text)
    done = subprocess.run([*command, str(file)], capture_output=True, text=True, timeout=LIMIT_S, check=False)
    if done.returncode != 0:
        raise SystemExit(f"{command[0]} has failed: {done.stderr[-3000:]}")
    return compare.results(done.stdout)


def by_case(played, kafka, ours, tally):
    for name in dict.fromkeys(scene.case for scene in played):
        of_case = [scene for scene in played if scene.case == name]
        complaints = [f"{scene.name}: {complaint}" for scene in of_case for complaint in differences(scene, kafka, ours)]
        count = sum(len(kafka[scene.name]) for scene in of_case)
        tally.case(f"{name}: {count} results of {len(of_case)} scenes", complaints if count else ["there are no results"])


def differences(scene, kafka, ours):
    return compare.differences(scenes.CASES[scene.case], kafka[scene.name], ours[scene.name])


def of_real(events, folder, tally):
    """Real events: ours, Kafka Streams and DuckDB say the same of them, and another value would be seen."""
    played, expected, case = events.played(), events.computed(), real.case()
    text = "".join(scene.text(scene.records) for scene in played)
    kafka, ours = of_kafka(folder, text), of_ours(folder, text)
    for scene in played:
        rows = expected[scene.name]
        for side, found in {"Kafka Streams": kafka, "ours": ours}.items():
            wrong = [complaint.replace("Kafka Streams", "DuckDB").replace("ours", side) for complaint in compare.differences(case, rows, found[scene.name])]
            tally.case(f"{scene.name}: {len(rows)} windows of DuckDB are those of {side}", wrong)
    scene = played[0]
    at = len(scene.records) // 2
    topic, time, key, value = scene.records[at]
    wrong = dataclasses.replace(scene, records=[*scene.records[:at], (topic, time, key, value + 1), *scene.records[at + 1:]])
    found = compare.differences(case, expected[scene.name], of_ours(folder, wrong.text(wrong.records))[scene.name])
    tally.case(f"{events.NAME}: a value that is larger by one is found", [] if len(found) == 2 else [f"{len(found)} differences for 2"])


def doctored(played, kafka, tally):
    """That what is wrong is seen: the results of Kafka Streams, with one fault each."""
    for name in dict.fromkeys(scene.case for scene in played):
        case, rows = scenes.CASES[name], kafka[max((scene.name for scene in played if scene.case == name), key=lambda name: len(kafka[name]))]
        # Of a key only the last result may count, and null is none.
        last = {key: at for at, (key, _, _) in enumerate(rows)}.values()
        at = next(at for at in sorted(last, reverse=True) if rows[at][1] != scenes.NULL)
        key, value, time = rows[at]
        faults = {
            "a lost result": [row for row in rows if row[0] != key],
            "a wrong value": [*rows[:at], (key, value + "!", time), *rows[at + 1:]],
            "a result from nowhere": [*rows, ("nobody", value, time)],
        }
        if not case.ignores_times:
            faults["a wrong time"] = [*rows[:at], (key, value, time + 1), *rows[at + 1:]]
        if case.how != "fold":
            faults["a result twice"] = [*rows[:at + 1], *rows[at:]]
        missed = [f"{fault} is not found" for fault, wrong in faults.items() if not compare.differences(case, rows, wrong)]
        tally.case(f"{name}: {', '.join(faults)} are found", missed)


def told(folder, played, kafka, tally):
    """That what our programs do is seen: milliseconds more of one of their numbers, and programs that are wrong."""
    changed = [dataclasses.replace(scene, numbers=scene.numbers | change(scene)[1]) for scene in played if change(scene)]
    # An advance must not be more than the size.
    for scene in changed:
        scene.numbers["size"] = max(scene.numbers["size"], scene.numbers["advance"])
    ours = of_ours(folder, "".join(scene.text(scene.records) for scene in changed)) if changed else {}
    for name, fault in {scene.case: change(scene)[0] for scene in played if change(scene)}.items():
        found = any(differences(scene, kafka, ours) for scene in changed if scene.case == name)
        tally.case(f"{name}: found: {fault}", [] if found else ["it is not"])


def change(scene):
    """What is wrong with our program of a scene, and the numbers that make it so."""
    kind = scene.case.split("-")[0]
    if kind in TELLING:
        number = TELLING[kind]
        return f"{MORE_MS} ms more of {number}", {number: scene.numbers[number] + MORE_MS}
    return WRONG.get(kind)


if __name__ == "__main__":
    raise SystemExit(main())
