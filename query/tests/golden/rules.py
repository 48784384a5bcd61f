"""What the functions of the questions mean, in plain Python over lists of events."""

import json
from collections import defaultdict
from functools import cmp_to_key


def group(events, *keys):
    """Groups in the order of their first event; a key is a column's name or a function."""
    groups = defaultdict(list)
    for event in events:
        groups[tuple(key(event) if callable(key) else event.get(key) for key in keys)].append(event)
    return groups


def coalesce(*values):
    return next((value for value in values if value is not None), None)


def values(events, key):
    return [it for it in (value(event, key) for event in events) if it is not None]


def distinct(events, key):
    return len(set(values(events, key)))


def count(events, condition):
    return sum(1 for event in events if condition(event))


def first_at(events):
    return time(min(values(events, "received_at"), default=None))


def last_at(events):
    return time(max(values(events, "received_at"), default=None))


def value(event, key):
    return key(event) if callable(key) else event.get(key)


def max_by(events, key, by="received_at"):
    """The value, which may be null, of the event with the greatest `by`; of equals the one with the greatest id."""
    return value(max(events, key=lambda event: (event[by], event["event_id"])), key)


def min_by(events, key, by):
    return value(min(events, key=lambda event: (event[by], event["event_id"])), key)


def percentile(numbers, share):
    """What stands at place ⌊share × count⌋ of the sorted numbers, counted from 0."""
    numbers = sorted(number for number in numbers if number is not None)
    return numbers[min(int(share * len(numbers)), len(numbers) - 1)] if numbers else None


def seconds(a, b):
    """Whole seconds between two times that count to the millisecond, towards zero."""
    if a is None or b is None:
        return None
    milliseconds = b // 1_000 - a // 1_000
    return abs(milliseconds) // 1_000 * (1 if milliseconds >= 0 else -1)


def trunc(at, unit):
    return at // unit * unit


class Time(int):
    """Microseconds that are shown as a time."""


def time(micros):
    return None if micros is None else Time(micros)


class Number(str):
    """A number's digits as they stand."""


def scalar(text, name):
    """The text of a field of a JSON object: the first of its name; null for what is no scalar, or no JSON up to there."""
    if text is None:
        return None
    first = lambda pairs: dict(reversed(pairs))
    decoder = json.JSONDecoder(object_pairs_hook=first, parse_int=Number, parse_float=Number)
    try:
        found, _ = decoder.raw_decode(text.lstrip())
    except json.JSONDecodeError:
        return None
    value = found.get(name) if isinstance(found, dict) else None
    if isinstance(value, bool):
        return str(value).lower()
    return str(value) if isinstance(value, str) else None


def ordered(rows, *terms):
    """Rows by columns' places: `-n` is place n − 1 descending, `n` ascending; nulls last either way."""

    def compare(a, b):
        for term in terms:
            x, y = a[abs(term) - 1], b[abs(term) - 1]
            if x == y:
                continue
            if x is None or y is None:
                return 1 if x is None else -1
            return (-1 if x < y else 1) * (-1 if term < 0 else 1)
        return 0

    return sorted(rows, key=cmp_to_key(compare))
