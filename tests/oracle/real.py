"""What is the same for all real events: windows of all kinds over their values by key, as DuckDB computes them."""

import pathlib

import scenes

DATA = pathlib.Path(__file__).parents[1] / "data"
HOUR = 3_600_000
KINDS = {
    "tumbling": {"size": HOUR},
    "hopping": {"size": 3 * HOUR, "advance": HOUR},
    "session": {"size": HOUR // 2},
}
# Of a table `events` with key, value and time in milliseconds: how many there are, their sum and the largest.
WINDOWS = {
    "tumbling": "select key, time // $size * $size as b, b + $size as e, count(*), sum(value), max(value) from events group by all",
    "hopping": """
select key, b, b + $size as e, count(*), sum(value), max(value)
from (select *, unnest(range(time // $advance * $advance - $size + $advance, time + 1, $advance)) as b from events) group by all
""",
    "session": """
select key, min(time) as b, max(time) as e, count(*), sum(value), max(value)
from (select *, sum(begins) over (partition by key order by time rows unbounded preceding) as session
      from (select *, case when time - lag(time) over (partition by key order by time) <= $size then 0 else 1 end as begins from events))
group by key, session
""",
}


def case():
    # As in the windows of scenes.CASES; nothing but the closing record is later.
    return scenes.Case("bag", ignores_times=True)


def computed(name, database):
    """What DuckDB says of its table `events`, by scene, in the form of compare.results."""
    return {f"{name}-{kind}": rows(database.execute(WINDOWS[kind], numbers).fetchall()) for kind, numbers in KINDS.items()}


def rows(found):
    return [(f"{key}@{begin}..{end}", f"{count} {total} {largest}", 0) for key, begin, end, count, total, largest in found]


def played(name, numbers, records):
    return [scenes.Scene(f"{name}-{kind}", f"{name}-{kind}", numbers | sizes, records) for kind, sizes in KINDS.items()]
