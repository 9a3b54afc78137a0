"""No test compares times: what it proves holds on a machine of any speed."""

import ast
import re
import time
from collections.abc import Iterator
from contextlib import suppress
from functools import cache
from pathlib import Path

import pytest
import work_limits
from work_limits import few_lines, hang_limit

from hypermagnetics.data.layout import Shard, SplitLayout

TESTS = Path(__file__).parent
CLOCKS = {"time", "monotonic", "perf_counter", "process_time", "thread_time"}
CLOCKS |= {f"{name}_ns" for name in CLOCKS}
HANG = "TIMEOUT"
"""Name of the only time that a test may wait for: whatever takes longer hangs for sure."""
WAITING = {"alarm", "join", "result", "wait"}
"""Functions whose only argument is a time."""
DEMANDED = {
    "programs/test_distributed.py": "processes end within a minute after one is lost, as promised",
}
"""Files where a time is compared because it is what users are promised."""
WORDS = re.compile(r"(import|from) time\b|timeout|setitimer|\.(alarm|join|result|wait)\(\s*[\d.]")
"""Words without which a file has neither."""


def clocks_of(tree: ast.Module) -> set[str]:
    """The clocks of the standard library, as a module names them."""
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            modules = {one.asname or one.name for one in node.names if one.name == "time"}
            found |= {f"{module}.{clock}" for module in modules for clock in CLOCKS}
        elif isinstance(node, ast.ImportFrom) and node.module == "time":
            found |= {one.asname or one.name for one in node.names if one.name in CLOCKS}
    return found


def mentions(node: ast.AST, names: set[str]) -> bool:
    """Whether one of some names, or of names with a module, stands in an expression."""
    return any(
        isinstance(part, ast.Name | ast.Attribute) and ast.unparse(part) in names
        for part in ast.walk(node)
    )


def flows(scope: ast.AST) -> Iterator[tuple[ast.AST, ast.AST]]:
    """Yield the places where a value goes on in a function: the value, and what holds it then."""
    for node in ast.walk(scope):
        match node:
            case ast.Assign(targets=targets, value=value):
                yield from ((value, target) for target in targets)
            case (
                ast.NamedExpr(target=target, value=value)
                | ast.AugAssign(target=target, value=value)
            ):
                yield value, target
            case ast.AnnAssign(target=target, value=ast.expr() as value):
                yield value, target
            case ast.For(target=target, iter=value) | ast.comprehension(target=target, iter=value):
                yield value, target
            case ast.Call(func=ast.Attribute(value=holder, attr="append" | "extend"), args=[value]):
                yield value, holder


def read_from_clocks(scope: ast.AST, names: set[str]) -> set[str]:
    """These names, and those of all values of a function that are made of them."""
    found, pairs = set(names), list(flows(scope))
    while True:
        more = {
            name.id
            for value, holder in pairs
            if mentions(value, found)
            for name in ast.walk(holder)
            if isinstance(name, ast.Name)
        }
        if more <= found:
            return found
        found |= more


def times_compared(tree: ast.Module) -> set[int]:
    """Lines of a module where a reading of a clock is compared, but with the limit of hangs."""
    clocks = clocks_of(tree)
    if not clocks:
        return set()
    functions = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)]
    while True:
        # A function that returns a time is a clock, too.
        more = {
            function.name
            for function in functions
            for names in [read_from_clocks(function, clocks)]
            for node in ast.walk(function)
            if isinstance(node, ast.Return) and node.value is not None
            if mentions(node.value, names)
        }
        if more <= clocks:
            break
        clocks |= more
    return {
        node.lineno
        for scope in functions
        for names in [read_from_clocks(scope, clocks)]
        for node in ast.walk(scope)
        if isinstance(node, ast.Compare)
        if mentions(node, names) and not mentions(node, {HANG})
    }


def limits_given(tree: ast.Module) -> set[int]:
    """Lines of a module with a number of seconds to wait for."""
    found = set()
    for node in ast.walk(tree):
        match node:
            case ast.Call(func=ast.Attribute(attr="setitimer"), args=[_, limit, *_]):
                limits = [limit]
            case ast.Call(func=ast.Attribute(attr=name), args=[limit]) if name in WAITING:
                limits = [limit]
            case ast.Call(keywords=words):
                limits = [word.value for word in words if word.arg == "timeout"]
            case _:
                continue
        values = [limit.value for limit in limits if isinstance(limit, ast.Constant)]
        if any(isinstance(value, int | float) and value for value in values):
            found.add(node.lineno)
    return found


@cache
def files() -> dict[str, ast.Module]:
    """The files of tests that may have to do with time."""
    texts = {path: path.read_text(encoding="utf-8") for path in TESTS.rglob("*.py")}
    return {
        path.relative_to(TESTS).as_posix(): ast.parse(text)
        for path, text in texts.items()
        if path != Path(__file__) and WORDS.search(text)
    }


START = "import time\ndef test():\n    start = time.monotonic()\n    work()\n"


@pytest.mark.parametrize(
    "text",
    [
        START + "    assert time.monotonic() - start < 2\n",
        START + "    took = time.monotonic() - start\n    assert took < 2\n",
        START + "    assert 2 > (took := time.monotonic() - start)\n",
        START + "    times = []\n    times.append(time.time_ns())\n    assert min(times) < 2\n",
        START + "    while time.monotonic() < start + 2:\n        pass\n",
        START + "    assert all(one < 2 for one in [time.monotonic() - start])\n",
        "from time import perf_counter as now\ndef test():\n    assert now() - now() < 2\n",
        "import time as t\ndef took():\n    return t.time()\ndef test():\n    assert took() < 2\n",
    ],
)
def test_a_time_that_is_compared_is_seen(text: str) -> None:
    """However it gets there."""
    assert times_compared(ast.parse(text)) == {text.count("\n") - ("while" in text)}


@pytest.mark.parametrize(
    "text",
    [
        START + "    assert time.monotonic() - start < TIMEOUT\n",
        START + "    assert time.monotonic.__name__\n    assert work() < 2\n",
        START + "def test_2():\n    start = 3\n    assert start < 2\n",
        "def test(clock):\n    clock.time = 3\n    assert clock.time < 4\n",
    ],
)
def test_what_is_no_time_may_be_compared(text: str) -> None:
    """And a time with the one of a hang."""
    assert times_compared(ast.parse(text)) == set()


@pytest.mark.parametrize(
    ("call", "is_limit"),
    [
        ("subprocess.run(command, timeout=60)", True),
        ("signal.setitimer(signal.ITIMER_REAL, 60.0)", True),
        ("event.wait(5)", True),
        ("barrier.wait(process, 2)", False),
        ("subprocess.run(command, timeout=2 * TIMEOUT)", False),
        ("signal.setitimer(signal.ITIMER_REAL, 0)", False),
        ("', '.join(names)", False),
    ],
)
def test_a_limit_in_seconds_is_seen(call: str, is_limit: bool) -> None:
    """One that is taken back is none."""
    assert bool(limits_given(ast.parse(call))) == is_limit


def test_no_time_is_compared() -> None:
    """Count work, hold a process at a named place, or let a clock of the test go on."""
    found = {path for path, tree in files().items() if times_compared(tree)}
    assert found == DEMANDED.keys()


def test_nothing_has_a_limit_of_its_own() -> None:
    """It would be too short on some machine; `program_runs.TIMEOUT` is the one of all."""
    found = {path for path, tree in files().items() if limits_given(tree)}
    assert found == set()


def many_shards(count: int) -> list[Shard]:
    """So many shards, made in a loop of the package."""
    sizes = {"num_samples": count, "samples_per_grid": 1, "samples_per_shard": 1}
    rest = {"max_sources": 1, "source_size": 4, "num_points": 1, "dim": 2, "shared_grid": True}
    return list(SplitLayout(**sizes, **rest).shards())


def test_a_loop_over_too_much_fails() -> None:
    """And does not go on meanwhile."""
    with few_lines(1000):
        many_shards(2)
    with pytest.raises(pytest.fail.Exception, match="more than 1000 lines"), few_lines(1000):
        many_shards(1 << 40)


def test_a_hang_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever a program makes of errors."""

    def hang() -> None:
        while True:
            with suppress(Exception):
                time.sleep(1e6)

    monkeypatch.setattr(work_limits, "TIMEOUT", 0.01)
    with pytest.raises(pytest.fail.Exception, match=r"goes on after 0\.01 s"), hang_limit():
        hang()
