"""What was written is what is read, whatever the sizes, the format and the order of work."""

import hashlib
import os
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given, settings
from mending import random_blocks, write_dataset

from hypermagnetics.data import (
    Block,
    Compression,
    Dataset,
    Split,
    SplitLayout,
    StorageFormat,
    verify_split,
)
from hypermagnetics.data.layout import SOURCE_ARRAYS, ArrayName

SINGLE = np.finfo(np.float32)
SPECIAL = np.array([0.0, -0.0, SINGLE.max, SINGLE.min, SINGLE.tiny, 1e-45, -1e-40, 1.0], np.float32)
FORMATS: tuple[StorageFormat, ...] = ("zarr", "hdf5")
COMPRESSIONS: tuple[Compression, ...] = ("none", "zstd")


@pytest.fixture(autouse=True, scope="module")
def _no_waiting_for_the_disk() -> Any:
    """Nobody cuts the power here."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", lambda descriptor: None)
        yield


@st.composite
def sizes(draw: st.DrawFn) -> dict[str, int | bool]:
    """Of small layouts of any shape, which the tests make: checking types draws random numbers."""
    samples = draw(st.integers(1, 23))
    per_grid = draw(st.integers(1, samples + 2))
    dim, regular = draw(st.sampled_from([2, 3])), draw(st.booleans())
    return {
        "num_samples": samples,
        "samples_per_grid": per_grid,
        "samples_per_shard": per_grid * draw(st.integers(1, -(-samples // per_grid))),
        "shared_grid": regular or draw(st.booleans()),
        "num_points": 2**dim if regular else draw(st.integers(1, 9)),
        "max_sources": draw(st.integers(1, 3)),
        "source_size": draw(st.integers(1, 8)),
        "dim": dim,
    }


def with_special_values(blocks: Sequence[Block], seed: int) -> list[Block]:
    """Some values replaced by those at the ends of what float32 can hold."""
    random, made = np.random.default_rng(seed), []
    for block in blocks:
        changed: dict[str, np.ndarray] = {}
        for name in ("potential", "field"):
            values = getattr(block, name)
            drawn = random.choice(SPECIAL, values.shape)
            changed[name] = np.where(random.random(values.shape) < 0.3, drawn, values)
        made.append(replace(block, **changed))
    return made


def assert_same_bytes(found: Block, expected: Block) -> None:
    for name in SOURCE_ARRAYS:
        one, other = getattr(found, name), getattr(expected, name)
        assert (one.shape, one.dtype, one.tobytes()) == (other.shape, other.dtype, other.tobytes())


def assert_listed(dataset: Dataset) -> None:
    """Every file of values has the sha256 and the bytes of the manifest and of the list."""
    lines = (dataset.directory / "manifest-sha256.txt").read_text().splitlines()
    listed = {line[66:]: line[:64] for line in lines}
    for entry in dataset.manifest.files:
        content = (dataset.directory / entry.path).read_bytes()
        assert entry.bytes == len(content)
        assert listed[entry.path] == entry.sha256 == hashlib.sha256(content).hexdigest()
    assert listed["manifest.json"] == dataset.sha256


@pytest.mark.slow
@settings(max_examples=25)
@given(
    drawn=sizes(),
    storage_format=st.sampled_from(FORMATS),
    compression=st.sampled_from(COMPRESSIONS),
    seed=st.integers(0, 2**32),
)
def test_every_bit_comes_back(
    drawn: dict[str, int | bool],
    storage_format: StorageFormat,
    compression: Compression,
    seed: int,
) -> None:
    layout = SplitLayout.model_validate(drawn)
    blocks = with_special_values(random_blocks(layout, seed), seed)
    with tempfile.TemporaryDirectory() as directory:
        splits = {"train": (layout, blocks)}
        dataset = write_dataset(Path(directory) / "d", splits, storage_format, compression)
        split = dataset.split("train")
        for found, expected in zip(split.blocks(), blocks, strict=True):
            assert_same_bytes(found, expected)
        verify_split(split)
        assert_listed(dataset)


@pytest.mark.slow
@settings(max_examples=10)
@given(
    drawn=sizes(),
    storage_format=st.sampled_from(FORMATS),
    compression=st.sampled_from(COMPRESSIONS),
    seed=st.integers(0, 2**32),
    data=st.data(),
)
def test_statistics_depend_on_values_alone(
    drawn: dict[str, int | bool],
    storage_format: StorageFormat,
    compression: Compression,
    seed: int,
    data: st.DataObject,
) -> None:
    """To the last bit: neither on the size of shards nor on the order of writing."""
    layout = SplitLayout.model_validate(drawn)
    blocks = with_special_values(random_blocks(layout, seed), seed)
    per_shard = layout.samples_per_grid * data.draw(st.integers(1, layout.num_blocks))
    other = SplitLayout.model_validate(
        layout.model_dump(mode="json") | {"samples_per_shard": per_shard}
    )
    with tempfile.TemporaryDirectory() as directory:
        one = write_dataset(Path(directory) / "one", {"train": (layout, blocks)})
        two = write_dataset(
            Path(directory) / "two", {"train": (other, blocks)}, storage_format, compression, True
        )
        assert one.manifest.splits["train"].arrays == two.manifest.splits["train"].arrays


def components(blocks: Sequence[Block], name: ArrayName) -> np.ndarray:
    """All values that count, in float64, with the components last; grids once for each block."""
    if name == "sources":
        return np.concatenate(
            [t[:n] for b in blocks for t, n in zip(b.sources, b.num_sources, strict=True)]
        ).astype(np.float64)
    parts = [getattr(block, name).astype(np.float64) for block in blocks]
    if name in ("potential", "num_sources"):
        parts = [part[..., None] for part in parts]
    return np.concatenate([part.reshape(-1, part.shape[-1]) for part in parts])


def assert_statistics(split: Split, blocks: Sequence[Block]) -> None:
    for name in SOURCE_ARRAYS:
        values = components(blocks, name)
        found, rms = split.statistics(name), np.sqrt(np.square(values).mean(axis=0))
        assert found.min == tuple(values.min(axis=0))
        assert found.max == tuple(values.max(axis=0))
        assert (np.abs(np.array(found.mean) - values.mean(axis=0)) <= 1e-6 * rms).all(), name
        assert (np.abs(np.array(found.std) - values.std(axis=0)) <= 1e-6 * rms).all(), name
        middle = np.sort(np.abs(values), axis=0)
        low, high = middle[(len(values) - 1) // 2], middle[len(values) // 2]
        median = np.array(found.median_abs)
        assert (median >= low * (1 - 1 / 16)).all(), name
        assert (median <= high * (1 + 1 / 16)).all(), name


SIZES = SplitLayout(
    num_samples=300,
    samples_per_grid=128,
    samples_per_shard=128,
    shared_grid=False,
    num_points=20,
    max_sources=2,
    source_size=4,
    dim=2,
)


def scaled(scale: float, offset: float) -> list[Block]:
    """Values of another size, and about another middle."""
    change = [
        {
            name: (getattr(block, name) * scale + offset).astype(np.float32)
            for name in ("grid", "potential", "field")
        }
        for block in random_blocks(SIZES)
    ]
    return [replace(b, **c) for b, c in zip(random_blocks(SIZES), change, strict=True)]


@pytest.mark.parametrize(
    ("scale", "offset"),
    [
        (1.0, 0.0),
        (1e18, 0.0),
        (1e37, 0.0),
        (1e-15, 0.0),
        (1.0, 100.0),
        (0.0, 1.1),
        (1e-24, 0.0),
    ],
)
def test_statistics_are_those_of_numpy(tmp_path: Path, scale: float, offset: float) -> None:
    """Also far from 1, and for values that hardly differ."""
    blocks = scaled(scale, offset)
    dataset = write_dataset(tmp_path / "data", {"train": (SIZES, blocks)})
    assert_statistics(dataset.split("train"), blocks)


@pytest.fixture(scope="module", params=["zarr-none", "hdf5-zstd"])
def split(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Split:
    """Three shards."""
    storage_format, compression = request.param.split("-")
    splits = {"train": (SIZES, random_blocks(SIZES))}
    directory = tmp_path_factory.mktemp("labelled") / "data"
    return write_dataset(directory, splits, storage_format, compression).split("train")


def whole(split: Split, name: ArrayName) -> np.ndarray:
    return split.entries(name, range(SIZES.array(name).shape[0]))


def test_the_labelled_view_has_names_and_units(split: Split) -> None:
    view = split.to_xarray()
    assert {str(name): array.dims for name, array in view.items()} == {
        spec.name: spec.dimensions for spec in SIZES.arrays()
    }
    assert {str(name): array.attrs["units"] for name, array in view.items()} == {
        spec.name: spec.unit for spec in SIZES.arrays()
    }
    assert list(view["axis"].values) == ["x", "y"]
    assert list(view["column"].values) == [f"column_{i}" for i in range(4)]
    assert list(view["column_unit"].values) == ["m"] * 4
    found = view["sources"].sel(column="column_2").values
    np.testing.assert_array_equal(found, whole(split, "sources")[..., 2])


def test_the_labelled_view_reads_when_asked(split: Split, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[tuple[str, int]] = []
    entries = Split.entries

    def counted(self: Split, name: ArrayName, numbers: range | np.ndarray) -> np.ndarray:
        calls.append((name, len(numbers)))
        return entries(self, name, numbers)

    monkeypatch.setattr(Split, "entries", counted)
    view = split.to_xarray()
    assert "potential" in repr(view)
    some = view.isel(sample=slice(5, 9))["potential"].isel(point=[3, 1])
    assert not calls
    assert some.values.shape == (4, 2)
    assert calls == [("potential", 4)]


@st.composite
def selections(draw: st.DrawFn, shape: tuple[int, ...]) -> tuple[Any, ...]:
    """A slice, a number or an array for each axis."""
    return tuple(
        draw(
            # xarray itself fails on empty slices backwards.
            st.slices(size).filter(lambda s, n=size: (s.step or 1) > 0 or range(n)[s])
            | st.integers(-size, size - 1)
            | st.lists(st.integers(-size, size - 1), max_size=6).map(lambda x: np.array(x, int))
        )
        for size in shape
    )


@settings(max_examples=25)
@given(data=st.data(), name=st.sampled_from(SOURCE_ARRAYS))
def test_the_labelled_view_selects_as_numpy_does(
    split: Split, data: st.DataObject, name: ArrayName
) -> None:
    """Each axis on its own."""
    spec = SIZES.array(name)
    selection = data.draw(selections(spec.shape))
    found = split.to_xarray()[name].isel(dict(zip(spec.dimensions, selection, strict=True)))
    expected = whole(split, name)
    for axis in reversed(range(len(selection))):
        expected = expected[(slice(None),) * axis + (selection[axis],)]
    np.testing.assert_array_equal(found.values, expected)


@pytest.mark.parametrize("wrong", [300, [0, 300], np.array([299, 300])], ids=repr)
def test_the_labelled_view_has_no_further_samples(split: Split, wrong: Any) -> None:
    with pytest.raises(IndexError, match=r"got 300"):
        split.to_xarray()["potential"].isel(sample=wrong).values  # noqa: B018
