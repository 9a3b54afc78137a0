"""Which cases of a test are slow, and which of the slow ones run in `.ci/run`."""

from collections import Counter

import pytest
from slow_cases import chosen, few_slow_cases, name_of


@pytest.mark.slow_cases
@pytest.mark.parametrize("number", [0, 1])
def test_only_the_first_case_is_quick(request: pytest.FixtureRequest, number: int) -> None:
    """Of all tests in this session; `make test` has those of all files."""
    cases = [item for item in request.session.items if item.get_closest_marker("slow_cases")]
    quick = Counter(name_of(item) for item in cases if not item.get_closest_marker("slow"))
    assert not quick or set(quick.values()) == {1}
    assert number == 1 or quick[name_of(request.node)] == 1


def test_slow_cases_are_left_out_and_no_test(request: pytest.FixtureRequest) -> None:
    """Of all in this session; quick cases all stay."""
    items = request.session.items
    kept, others = few_slow_cases(items, 2)
    assert sorted(map(id, [*kept, *others])) == sorted(map(id, items))
    assert all(item.get_closest_marker("slow") for item in others)
    assert {name_of(item) for item in kept} == {name_of(item) for item in items}
    slow = Counter(name_of(item) for item in kept if item.get_closest_marker("slow"))
    assert max(slow.values(), default=0) <= 2


@pytest.mark.parametrize("most", [1, 2, 3])
def test_every_case_of_a_list_runs_in_some_test(most: int) -> None:
    """As many cases as there may be, all of them where there are fewer."""
    for count in range(1, 12):
        numbers = [chosen(f"tests/test_{name}.py", count, most) for name in range(100)]
        assert {len(of_one) for of_one in numbers} == {min(count, most)}
        assert set.union(*numbers) == set(range(count))
