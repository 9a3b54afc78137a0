"""Samples picked from a split are those that numpy would pick from the whole arrays."""

import copy
import mmap
import operator
import os
import pickle
import random
import subprocess
import sys
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given, settings
from mending import random_blocks, write_dataset
from program_runs import TIMEOUT

from hypermagnetics.child_processes import child_pool
from hypermagnetics.data import (
    Block,
    Compression,
    Dataset,
    GridShape,
    Samples,
    Split,
    SplitLayout,
    StorageFormat,
    mapped_shards,
)

KINDS: tuple[tuple[StorageFormat, Compression], ...] = (
    ("zarr", "none"),
    ("zarr", "zstd"),
    ("hdf5", "none"),
    ("hdf5", "zstd"),
)
_REST = {"max_sources": 3, "source_size": 4, "dim": 2}
_RANDOM = {"num_points": 24, "shared_grid": False} | _REST
LAYOUTS = {
    # Ends in the middle of a block, which is half a shard.
    "train": SplitLayout(num_samples=45, samples_per_grid=8, samples_per_shard=16, **_RANDOM),
    "regular": SplitLayout(
        num_samples=21,
        samples_per_grid=4,
        samples_per_shard=8,
        num_points=25,
        shared_grid=True,
        grid_shape=GridShape(points_per_side=5, halo=1),
        **_REST,
    ),
    "thin": SplitLayout(num_samples=45, samples_per_grid=2, samples_per_shard=2, **_RANDOM),
    "lone": SplitLayout(num_samples=1, samples_per_grid=1, samples_per_shard=1, **_RANDOM),
}
BLOCKS = {name: random_blocks(layout, seed) for seed, (name, layout) in enumerate(LAYOUTS.items())}
INTEGERS = (np.int64, np.int32, np.int16, np.int8, np.uint8)
Arrays = Mapping[str, np.ndarray]


def whole(blocks: list[Block]) -> Arrays:
    """All values as they were written; `grid` has that of each sample."""
    names = ("sources", "num_sources", "potential", "field")
    arrays = {name: np.concatenate([getattr(block, name) for block in blocks]) for name in names}
    return arrays | {"grid": np.concatenate([[b.grid] * len(b.potential) for b in blocks])}


WHOLE = {name: whole(blocks) for name, blocks in BLOCKS.items()}


@pytest.fixture(scope="session", params=KINDS, ids="-".join)
def dataset(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Dataset:
    """The same values in each kind of dataset; not to be changed."""
    splits = {name: (LAYOUTS[name], BLOCKS[name]) for name in LAYOUTS}
    directory = tmp_path_factory.mktemp("-".join(request.param)) / "data"
    return write_dataset(directory, splits, *request.param)


def assert_picked(found: Samples, expected: Arrays, index: Any) -> None:
    """What numpy gives, for each array."""
    for name in ("sources", "num_sources", "potential", "field"):
        wanted = expected[name][index]
        assert getattr(found, name).dtype == wanted.dtype
        np.testing.assert_array_equal(getattr(found, name), wanted)
    np.testing.assert_array_equal(found.grids[found.grid_of], expected["grid"][index])
    assert len(found) == len(found.grid_of) == len(expected["num_sources"][index])


@st.composite
def indices(draw: st.DrawFn, length: int) -> Any:
    """A slice, an array of any integer type, a list, or a mask."""
    bound = st.none() | st.integers(-2 * length - 2, 2 * length + 2)
    step = st.none() | st.integers(-length - 1, length + 1).filter(bool)
    numbers = st.lists(st.integers(-length, length - 1), max_size=2 * length)
    match draw(st.sampled_from(["slice", "array", "run", "list", "mask"])):
        case "slice":
            return slice(draw(bound), draw(bound), draw(step))
        case "array":
            dtype = draw(st.sampled_from(INTEGERS))
            drawn = draw(numbers)
            return np.array([n % length if dtype == np.uint8 else n for n in drawn], dtype)
        case "run":
            first, stop = sorted(draw(st.tuples(*[st.integers(0, length)] * 2)))
            return np.arange(first, stop) - draw(st.sampled_from([0, length]))
        case "list":
            return draw(numbers)
    return np.array(draw(st.lists(st.booleans(), min_size=length, max_size=length)), np.bool_)


@pytest.mark.slow
@settings(max_examples=20)
@given(data=st.data())
def test_samples_are_picked_by_the_rules_of_numpy(dataset: Dataset, data: st.DataObject) -> None:
    name = data.draw(st.sampled_from(sorted(LAYOUTS)))
    index = data.draw(indices(LAYOUTS[name].num_samples))
    found = dataset.split(name)[index]
    expected = WHOLE[name]
    assert_picked(found, expected, np.array(index, np.intp) if isinstance(index, list) else index)
    if len(found) and name != "regular":
        assert sorted(set(found.grid_of.tolist())) == list(range(len(found.grids)))


@pytest.mark.slow_cases
@pytest.mark.parametrize("name", LAYOUTS)
def test_a_number_picks_one_sample_without_padding(dataset: Dataset, name: str) -> None:
    split, expected = dataset.split(name), WHOLE[name]
    for number in range(-len(split), len(split)):
        found, count = split[number], expected["num_sources"][number]
        np.testing.assert_array_equal(found.sources, expected["sources"][number, :count])
        for array in ("grid", "potential", "field"):
            np.testing.assert_array_equal(getattr(found, array), expected[array][number])


def test_a_regular_grid_is_given_once(dataset: Dataset) -> None:
    split = dataset.split("regular")
    assert split[:].grids.shape == split[[20, 0, 7]].grids.shape == (1, 25, 2)


@pytest.mark.parametrize("index", [slice(3, 14), np.arange(19, 32), slice(44, 45)], ids=repr)
def test_uncompressed_samples_of_one_shard_are_views(dataset: Dataset, index: Any) -> None:
    if dataset.manifest.compression != "none":
        pytest.skip("compressed values are decoded")
    split = dataset.split("train")
    found = split[index]
    first_block = split.block(int(np.arange(45)[index][0]) // 8)
    for name in ("sources", "num_sources", "potential", "field"):
        values = getattr(found, name)
        assert np.shares_memory(values, getattr(first_block, name))
        assert not values.flags.writeable
        base: Any = values
        while isinstance(base, np.ndarray | memoryview):
            base = base.base if isinstance(base, np.ndarray) else base.obj
        assert isinstance(base, mmap.mmap)
    with pytest.raises(ValueError, match="read-only"):
        found.field[0, 0, 0] = np.float32(1)


@pytest.mark.parametrize("index", [slice(10, 20), slice(3, 14, 2), np.array([4, 4])], ids=repr)
def test_other_samples_are_copies(dataset: Dataset, index: Any) -> None:
    """Which may be written, and change nothing in the dataset."""
    split = dataset.split("train")
    found = split[index]
    found.potential[:] = 7
    assert_picked(split[index], WHOLE["train"], index)


@pytest.mark.parametrize(
    ("index", "value"),
    [
        (45, "45"),
        (-46, "-46"),
        ([3, 99, 4], "99"),
        (np.array([300], np.int16), "300"),
        (np.array([250], np.uint8), "250"),
        (np.array([2**63], np.uint64), str(2**63)),
        (np.array([1.0]), "float64"),
        (np.ones(44, np.bool_), r"bool of shape \(44,\)"),
        (np.ones((45, 1), np.bool_), r"bool of shape \(45, 1\)"),
        (np.zeros((2, 2), np.int64), r"int64 of shape \(2, 2\)"),
        (np.array(3), r"int64 of shape \(\)"),
        (np.array(["3"]), "<U1"),
        (2.7, r"2\.7"),
        (np.float32(2.7), r"np\.float32\(2\.7\)"),
        (True, "a truth value"),
        (np.True_, "a truth value"),
        (None, "None"),
        (..., "Ellipsis"),
    ],
    ids=repr,
)
def test_a_wrong_index_is_named(dataset: Dataset, index: Any, value: str) -> None:
    with pytest.raises(IndexError, match=rf"must be .*got {value}"):
        dataset.split("train")[index]


def read_at_random(split: Split, seed: int) -> int:
    """Compare blocks and samples, in an order of one's own; the number of blocks."""
    draw = random.Random(seed)
    number = draw.randrange(len(split))
    some = np.array([draw.randrange(len(split)) for _ in range(5)])
    assert_picked(split[some], WHOLE[split.name], some)
    assert_picked(split[number : number + 20], WHOLE[split.name], slice(number, number + 20))
    wanted = (number // split.layout.samples_per_grid, 0)
    found = list(split.read(wanted))
    for one, index in zip(found, wanted, strict=True):
        np.testing.assert_array_equal(one.field, BLOCKS[split.name][index].field)
    return len(found)


@pytest.mark.slow_cases
def test_threads_read_the_same_split(dataset: Dataset, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also when shards come and go all the time."""
    monkeypatch.setattr(mapped_shards, "_MOST_FILES", 2)
    split = dataset.split("train")
    with ThreadPoolExecutor(8) as threads:
        assert list(threads.map(read_at_random, [split] * 8, range(8))) == [2] * 8


def open_files() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def read_through(split: Split) -> Iterator[int]:
    """Read every block, and count the open files behind each."""
    for index in range(split.layout.num_blocks):
        split.block(index)
        yield open_files()


def test_few_files_are_open_at_a_time(dataset: Dataset, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mapped_shards, "_MOST_FILES", 3)
    before, kept = open_files(), 8 if dataset.manifest.compression == "zstd" else 0
    split = dataset.split("thin")
    per_shard = 5 if dataset.manifest.storage_format == "zarr" else 1
    assert split.layout.num_shards == 23
    assert max(read_through(split)) - before <= max(3, per_shard) + kept


def test_arrays_outlive_the_mapping_of_their_shard(
    dataset: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mapped_shards, "_MOST_FILES", 1)
    blocks = list(dataset.split("thin").blocks())
    for found, expected in zip(blocks, BLOCKS["thin"], strict=True):
        for name in ("sources", "num_sources", "grid", "potential", "field"):
            np.testing.assert_array_equal(getattr(found, name), getattr(expected, name))


def test_reading_ahead_changes_nothing(dataset: Dataset) -> None:
    for name, layout in LAYOUTS.items():
        split = dataset.split(name)
        split.will_need(())
        split.will_need(range(layout.num_blocks))
        assert_picked(split[:], WHOLE[name], slice(None))


def run(program: str, dataset: Dataset) -> str:
    """What a process of its own prints."""
    command = [sys.executable, "-W", "error", "-c", program, str(dataset.directory)]
    environment = os.environ | {"PYTHONPATH": ""}
    limit = 2 * TIMEOUT  # a process that it forks has half of that
    done = subprocess.run(command, capture_output=True, text=True, timeout=limit, env=environment)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


OPEN = "import os, signal, sys; from hypermagnetics.data import Dataset, verify_split;"
READ = "s = Dataset.open(sys.argv[1]).split('train'); s.block(0); s[3]; s[[40, 2]]; s[:];"


@pytest.mark.slow
def test_reading_loads_neither_jax_nor_zarr_nor_xarray(dataset: Dataset) -> None:
    found = run(
        f"{OPEN}{READ} verify_split(s); print({{'jax', 'zarr', 'xarray'}} & {{*sys.modules}})",
        dataset,
    )
    assert found == "set()"


@pytest.mark.slow
def test_a_forked_process_reads_on(dataset: Dataset) -> None:
    """Although threads, such as those that decode, stay behind in its parent."""
    child = f"signal.alarm({TIMEOUT:.0f}); s.read(range(6)); os._exit(0)"
    program = f"{OPEN}{READ} pid = os.fork()\nif not pid: {child}\nprint(os.waitpid(pid, 0)[1])"
    assert run(program, dataset) == "0"


@pytest.mark.slow_cases
def test_copies_read_the_same(dataset: Dataset) -> None:
    """As spawned workers, Dask and xarray make them."""
    split = dataset.split("train")
    read = split[0].potential  # so that files are mapped
    with child_pool(1) as submit:
        elsewhere = submit(partial(operator.getitem, split, 0)).result()
    copies = (pickle.loads(pickle.dumps(split))[0], copy.deepcopy(split)[0], elsewhere)
    for sample in copies:
        np.testing.assert_array_equal(sample.potential, read)
    np.testing.assert_array_equal(split.to_xarray().copy(deep=True).potential[0], read)
