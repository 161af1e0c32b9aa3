"""Real readings of two sensors: the temperature of a machine every five minutes, with a clock that is set back by 55 minutes on the
way, and the speed of cars on a road, with gaps."""

import csv
import datetime
import gzip

import duckdb

import real
import scenes

NAME = "readings"
NUMBERS = {"batch": 100, "grace": real.HOUR}
READINGS = real.DATA / "readings.csv.gz"

# Values are tenths.
EVENTS = """
create table events as
select epoch_ms(time) as time, cast(round(value * 10) as bigint) as value, sensor as key
from read_csv(?, types = {'time': 'TIMESTAMP', 'value': 'DECIMAL(9, 1)'})
"""


def computed():
    database = duckdb.connect()
    database.execute(EVENTS, [str(READINGS)])
    return real.computed(NAME, database)


def played():
    return real.played(NAME, NUMBERS, list(in_order()))


def in_order():
    """The readings as they stand in the file."""
    time = 0
    with gzip.open(READINGS, "rt", encoding="utf-8") as file:
        for reading in csv.DictReader(file):
            time = milliseconds(reading["time"])
            yield "in", time, reading["sensor"], round(float(reading["value"]) * 10)
    yield "in", time + 100 * real.HOUR, scenes.CLOSING, 0


def milliseconds(text):
    then = datetime.datetime.strptime(text, "%Y-%m-%d %H:%M:%S").replace(tzinfo=datetime.UTC)
    return int(then.timestamp()) * 1000
