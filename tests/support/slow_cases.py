"""Which cases of the slow tests run where not all of them can."""

import zlib
from collections import defaultdict
from collections.abc import Sequence

import pytest


def name_of(item: pytest.Item) -> str:
    """The name of the test of which an item is a case."""
    return item.nodeid.partition("[")[0]


def chosen(test: str, count: int, most: int) -> set[int]:
    """Numbers of the cases of a test that run: evenly spread, from one that its name decides.

    So the same cases run on every machine, and of many tests that share a list of cases, such as
    formats and models, each has another part of the list.
    """
    if count <= most:
        return set(range(count))
    first = zlib.crc32(test.encode())
    return {(first + step * count // most) % count for step in range(most)}


def few_slow_cases(
    items: Sequence[pytest.Item], most: int
) -> tuple[list[pytest.Item], list[pytest.Item]]:
    """Quick cases and at most so many slow ones of each test, in their order; and the others."""
    slow = defaultdict[str, list[pytest.Item]](list)
    for item in items:
        if item.get_closest_marker("slow"):
            slow[name_of(item)].append(item)
    left_out = {
        id(case)
        for test, cases in slow.items()
        for number, case in enumerate(cases)
        if number not in chosen(test, len(cases), most)
    }
    kept = [item for item in items if id(item) not in left_out]
    return kept, [item for item in items if id(item) in left_out]
