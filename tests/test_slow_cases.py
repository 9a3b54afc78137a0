"""The marker `slow_cases`: the first case of a test is quick, the others are slow."""

from collections import Counter

import pytest


def _test(item: pytest.Item) -> str:
    """The test of which an item is a case."""
    return item.nodeid.partition("[")[0]


@pytest.mark.slow_cases
@pytest.mark.parametrize("number", [0, 1])
def test_only_the_first_case_is_quick(request: pytest.FixtureRequest, number: int) -> None:
    """Of all tests in this session; `make test` has those of all files."""
    cases = [item for item in request.session.items if item.get_closest_marker("slow_cases")]
    quick = Counter(_test(item) for item in cases if not item.get_closest_marker("slow"))
    assert not quick or set(quick.values()) == {1}
    assert number == 1 or quick[_test(request.node)] == 1
