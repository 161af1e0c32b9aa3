"""The lines: real ones, and how often each word is in them."""

import collections
import functools
import gzip
import pathlib

SOURCE = pathlib.Path(__file__).parents[2] / "tests" / "data" / "apache_access.log.gz"


@functools.cache
def lines():
    with gzip.open(SOURCE, "rt", encoding="utf-8") as file:
        return file.read().splitlines()


@functools.cache
def counts():
    """How often each word is in the lines, once through."""
    return collections.Counter(word for line in lines() for word in line.split())


def copies(words):
    """How often the lines must be repeated to have so many words."""
    return -(-words // counts().total())
