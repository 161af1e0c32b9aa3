"""Real flights: how late they left, by the states of their airports."""

import csv
import datetime
import gzip

import duckdb

import real
import scenes

NAME = "flights"
# Flights arrive when they leave, and happen when they should have left: none is late by more than the grace.
NUMBERS = {"batch": 500, "grace": 12 * real.HOUR}
AIRPORTS, FLIGHTS = real.DATA / "airports.csv", real.DATA / "flights.csv.gz"

EVENTS = """
create table events as
select (epoch_ms(strptime(f.date, '%Y/%m/%d %H:%M'))) as time, f.delay as value, a.state as key
from read_csv(?, types = {'date': 'VARCHAR'}) f join read_csv(?) a on f.origin = a.iata
"""


def computed():
    database = duckdb.connect()
    database.execute(EVENTS, [str(FLIGHTS), str(AIRPORTS)])
    return real.computed(NAME, database)


def played():
    return real.played(NAME, NUMBERS, list(in_order()))


def in_order():
    """The airports, then the flights as they leave."""
    with open(AIRPORTS, newline="", encoding="utf-8") as file:
        for airport in csv.DictReader(file):
            yield "airports", 0, airport["iata"], airport["state"]
    with gzip.open(FLIGHTS, "rt", encoding="utf-8") as file:
        flights = [(minutes(flight["date"]), int(flight["delay"]), flight["origin"]) for flight in csv.DictReader(file)]
    for minute, delay, origin in sorted(flights, key=lambda flight: flight[0] + flight[1]):
        yield "flights", minute * 60_000, origin, delay
    last = max(minute for minute, _, _ in flights) * 60_000
    # Of a state that there is not: its flight closes all windows.
    yield "airports", last + 100 * real.HOUR, scenes.CLOSING, scenes.CLOSING
    yield "flights", last + 100 * real.HOUR, scenes.CLOSING, 0


def minutes(date):
    then = datetime.datetime.strptime(date, "%Y/%m/%d %H:%M").replace(tzinfo=datetime.UTC)
    return int(then.timestamp()) // 60
