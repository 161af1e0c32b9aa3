"""Real flights: how late they left, by the states of their airports, in windows of all kinds. What ours and Kafka Streams make of
them must be what DuckDB computes of the same files."""

import csv
import datetime
import gzip
import pathlib

import duckdb

import scenes

DATA = pathlib.Path(__file__).parents[1] / "data"
HOUR = 3_600_000
# Flights arrive when they leave, and happen when they should have left: none is late by more than the grace.
NUMBERS = {"batch": 500, "grace": 12 * HOUR}
KINDS = {
    "tumbling": {"size": HOUR},
    "hopping": {"size": 3 * HOUR, "advance": HOUR},
    "session": {"size": HOUR // 2},
}
# As in the windows of scenes.CASES; nothing but the closing record is later.
CASES = {f"flights-{kind}": scenes.Case("bag", ignores_times=True) for kind in KINDS}

FLIGHTS = """
create table flights as
select (epoch_ms(strptime(f.date, '%Y/%m/%d %H:%M'))) as time, f.delay, a.state
from read_csv(?, types = {'date': 'VARCHAR'}) f join read_csv(?) a on f.origin = a.iata
"""
WINDOWS = {
    "tumbling": "select state, time // $size * $size as b, b + $size as e, count(*), sum(delay), max(delay) from flights group by all",
    "hopping": """
select state, b, b + $size as e, count(*), sum(delay), max(delay)
from (select *, unnest(range(time // $advance * $advance - $size + $advance, time + 1, $advance)) as b from flights) group by all
""",
    "session": """
select state, min(time) as b, max(time) as e, count(*), sum(delay), max(delay)
from (select *, sum(begins) over (partition by state order by time rows unbounded preceding) as session
      from (select *, case when time - lag(time) over (partition by state order by time) <= $size then 0 else 1 end as begins from flights))
group by state, session
""",
}


def computed():
    """What DuckDB says, by scene, in the form of compare.results."""
    database = duckdb.connect()
    database.execute(FLIGHTS, [str(DATA / "flights.csv.gz"), str(DATA / "airports.csv")])
    return {f"flights-{kind}": rows(database.execute(WINDOWS[kind], numbers).fetchall()) for kind, numbers in KINDS.items()}


def rows(found):
    return [(f"{state}@{begin}..{end}", f"{count} {delays} {longest}", 0) for state, begin, end, count, delays, longest in found]


def played():
    records = list(in_order())
    return [scenes.Scene(f"flights-{kind}", f"flights-{kind}", NUMBERS | numbers, records) for kind, numbers in KINDS.items()]


def in_order():
    """The airports, then the flights as they leave."""
    with open(DATA / "airports.csv", newline="", encoding="utf-8") as file:
        for airport in csv.DictReader(file):
            yield "airports", 0, airport["iata"], airport["state"]
    with gzip.open(DATA / "flights.csv.gz", "rt", encoding="utf-8") as file:
        flights = [(minutes(flight["date"]), int(flight["delay"]), flight["origin"]) for flight in csv.DictReader(file)]
    for minute, delay, origin in sorted(flights, key=lambda flight: flight[0] + flight[1]):
        yield "flights", minute * 60_000, origin, delay
    last = max(minute for minute, _, _ in flights) * 60_000
    # Of a state that there is not: its flight closes all windows.
    yield "airports", last + 100 * HOUR, scenes.CLOSING, scenes.CLOSING
    yield "flights", last + 100 * HOUR, scenes.CLOSING, 0


def minutes(date):
    then = datetime.datetime.strptime(date, "%Y/%m/%d %H:%M").replace(tzinfo=datetime.UTC)
    return int(then.timestamp()) // 60
