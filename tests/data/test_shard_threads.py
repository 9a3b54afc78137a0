"""Threads that work on shards, and a Ctrl-C that comes anywhere."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from hypermagnetics.config import load_recipe
from hypermagnetics.data import Dataset
from hypermagnetics.data.convert import convert
from hypermagnetics.data.shard_threads import shard_threads
from hypermagnetics.generate.config import DatasetRecipe
from hypermagnetics.generate.plan import make_plan
from hypermagnetics.generate.run import generate


@pytest.mark.parametrize("error", [KeyboardInterrupt, OSError])
def test_work_that_has_not_begun_is_dropped(error: type[BaseException]) -> None:
    """What has begun is asked to give up, and waited for."""
    begun, given_up, done = threading.Event(), threading.Event(), []

    def work(number: int) -> None:
        begun.set()
        given_up.wait()
        done.append(number)

    def interrupted() -> None:
        with shard_threads(1, given_up.set) as threads:
            for number in range(5):
                threads.submit(work, number)
            begun.wait()
            raise error

    with pytest.raises(error):
        interrupted()
    assert done == [0]


def test_all_work_is_waited_for() -> None:
    """Nobody is asked to give up."""
    done: list[int] = []
    with shard_threads(2, lambda: pytest.fail("nothing went wrong")) as threads:
        for number in range(5):
            threads.submit(done.append, number)
    assert sorted(done) == list(range(5))


def generated(_: Dataset, out: Path) -> None:
    """A dataset of 16 shards."""
    split = "splits={train={num_samples=999, num_sources=1}}"
    overrides = ("samples_per_grid=8", split, "storage.shard_mb=1e-6")
    recipe = load_recipe(DatasetRecipe, "dataset", "demo", overrides)
    generate(make_plan(recipe, "hdf5"), out)


@pytest.mark.parametrize("write", [generated, convert])
def test_ctrl_c_while_work_is_handed_out(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    tiny: Dataset,
    write: Callable[[Dataset, Path], object],
) -> None:
    """The threads are held until work is dropped, so that none is done which nobody waits for."""
    dropped = threading.Event()
    submit, shutdown = ThreadPoolExecutor.submit, ThreadPoolExecutor.shutdown

    def held(pool: ThreadPoolExecutor, work: Callable[..., object], *arguments: object) -> object:
        if pool._thread_name_prefix != "shard":
            return submit(pool, work, *arguments)
        if len(handed_out) == 5:
            raise KeyboardInterrupt
        handed_out.append(arguments)
        return submit(pool, lambda: dropped.wait() and begun.append(arguments))

    def drop(pool: ThreadPoolExecutor, wait: bool = True, *, cancel_futures: bool = False) -> None:
        shutdown(pool, False, cancel_futures=cancel_futures)
        dropped.set()
        shutdown(pool, wait)

    handed_out: list[object] = []
    begun: list[object] = []
    monkeypatch.setattr(ThreadPoolExecutor, "submit", held)
    monkeypatch.setattr(ThreadPoolExecutor, "shutdown", drop)
    with pytest.raises(KeyboardInterrupt):
        write(tiny, tmp_path / "out")
    assert len(begun) <= 3 < len(handed_out)
