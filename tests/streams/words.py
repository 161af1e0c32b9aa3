"""The word count: lines in, the counts that must come out, and what is wrong with those that did."""

import collections

LINES, WORDS_A_LINE, VOCABULARY = 6_000, 5, 80
INPUTS = ("lines",)


def records(random, partitions, begin):
    """(topic, partition, key, value, timestamp) of each line."""
    words = [f"word{number}" for number in range(VOCABULARY)]
    # Some words are seldom, some are everywhere.
    weights = [1 / (rank + 1) for rank in range(VOCABULARY)]
    for number in range(LINES):
        line = " ".join(random.choices(words, weights, k=WORDS_A_LINE))
        yield "lines", number % partitions, None, line, begin + number


def closing(_partitions, _begin):
    """Nothing has to end for a count to be there."""
    return []


def expected(records):
    return dict(collections.Counter(word for _, _, _, line, _ in records for word in line.split()))


def results(answer):
    """How many results lead to the answer."""
    return sum(answer.values())


def fold(found):
    """The last count of each word; `found` holds keys and values in the order of their partitions."""
    return {word: int(count) for word, count in found}


def wrong(found, answer):
    """Complaints. The counts of a word are 1, 2, 3 ... up to its last one."""
    complaints, last = [], collections.Counter()
    for word, count in found:
        if int(count) != last[word] + 1:
            complaints.append(f"{word}: {count} behind {last[word]}")
        last[word] = int(count)
    words = sorted(answer.keys() | last.keys())
    return complaints + [f"{word}: {last[word]} at the end for {answer.get(word, 0)}" for word in words if last[word] != answer.get(word, 0)]
