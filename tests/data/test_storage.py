"""Both storage formats hold the same values, and other software reads them."""

import hashlib
import json
import shutil
from pathlib import Path

import h5py
import numpy as np
import pytest
import xarray
import zarr
from tiny_datasets import TINY, MakeDataset

from hypermagnetics.config import load_recipe
from hypermagnetics.data import (
    Compression,
    Dataset,
    DatasetWriter,
    StorageFormat,
    read_batch,
    verify_split,
)
from hypermagnetics.data.convert import convert
from hypermagnetics.data.layout import SOURCE_ARRAYS, default_shard_bytes
from hypermagnetics.data.verify import find_problems
from hypermagnetics.errors import DatasetError
from hypermagnetics.generate.config import DatasetRecipe
from hypermagnetics.generate.plan import make_plan
from hypermagnetics.generate.recipes import DATASET_SCHEMA, plan_of


def whole(dataset: Dataset, split: str) -> dict[str, np.ndarray]:
    """All values of a split, block by block."""
    blocks = list(dataset.split(split).blocks())
    arrays = {
        name: np.concatenate([getattr(block, name) for block in blocks])
        for name in SOURCE_ARRAYS
        if name != "grid"
    }
    return arrays | {"grid": np.stack([block.grid for block in blocks])}


def test_zarr_and_hdf5_give_equal_batches(tiny: Dataset, tiny_hdf5: Dataset) -> None:
    """Every block and a gathered batch, bit for bit."""
    for name in tiny.splits:
        one, other = tiny.split(name), tiny_hdf5.split(name)
        for a, b in zip(one.blocks(), other.blocks(), strict=True):
            for array in SOURCE_ARRAYS:
                np.testing.assert_array_equal(getattr(a, array), getattr(b, array))
        blocks = tuple(reversed(range(one.layout.num_blocks)))
        for points in (None, np.array([0, 5, 11])):
            a, b = read_batch(one, blocks, points), read_batch(other, blocks, points)
            for array in SOURCE_ARRAYS:
                np.testing.assert_array_equal(getattr(a, array), getattr(b, array))


def test_zarr_python_reads_what_we_map(tiny: Dataset) -> None:
    """The files are plain sharded Zarr v3."""
    for name in tiny.splits:
        group = zarr.open_group(tiny.directory / f"{name}.zarr", mode="r")
        for array, values in whole(tiny, name).items():
            np.testing.assert_array_equal(group[array][:], values)


def test_xarray_opens_labelled_dimensions_and_units(tiny: Dataset) -> None:
    """`xarray.open_zarr` shows what the axes are."""
    with xarray.open_zarr(tiny.directory / "train.zarr", consolidated=False) as opened:
        assert opened["potential"].dims == ("sample", "point")
        assert opened["field"].dims == ("sample", "point", "axis")
        assert opened["grid"].dims == ("block", "point", "axis")
        assert opened["sources"].dims == ("sample", "source", "column")
        units = {name: opened[name].attrs["units"] for name in ("potential", "field", "grid")}
        assert units == {"potential": "A", "field": "A/m", "grid": "m"}
        assert opened["sources"].attrs["columns"][0] == "moment_x"
        expected = whole(tiny, "train")["potential"]
        np.testing.assert_array_equal(opened["potential"].values, expected)


@pytest.mark.filterwarnings("ignore:Consolidated metadata is currently not part")
@pytest.mark.parametrize("indent", [None, 2, 4])
def test_consolidated_metadata_is_no_damage(tmp_path: Path, tiny: Dataset, indent: int) -> None:
    """Xarray advises to consolidate; the values are as they were, whoever formats the file."""
    copy = Path(shutil.copytree(tiny.directory, tmp_path / "data"))
    zarr.consolidate_metadata(copy / "train.zarr")
    path = copy / "train.zarr" / "zarr.json"
    if indent is not None:
        path.write_text(json.dumps(json.loads(path.read_text()), indent=indent, sort_keys=True))
    with xarray.open_zarr(copy / "train.zarr") as opened:
        assert opened["potential"].dims == ("sample", "point")
    assert list(find_problems(Dataset.unchecked(copy))) == []
    for name, values in whole(Dataset.open(copy), "train").items():
        np.testing.assert_array_equal(values, whole(tiny, "train")[name])


@pytest.mark.filterwarnings("ignore:Consolidated metadata is currently not part")
def test_damage_beside_consolidated_metadata_is_seen(tmp_path: Path, tiny: Dataset) -> None:
    """What was there before must be there still."""
    copy = Path(shutil.copytree(tiny.directory, tmp_path / "data"))
    zarr.consolidate_metadata(copy / "train.zarr")
    path = copy / "train.zarr" / "zarr.json"
    group = json.loads(path.read_text())
    path.write_text(json.dumps(group | {"attributes": {"title": "Another"}}))
    with pytest.raises(DatasetError, match="rule D4"):
        Dataset.open(copy)


def test_h5py_reads_self_contained_files(tiny_hdf5: Dataset) -> None:
    """Each file has its own grid, units and labels; together they are the split."""
    values = whole(tiny_hdf5, "train")
    files = sorted((tiny_hdf5.directory / "train").glob("*.h5"))
    assert len(files) > 1
    for path in files:
        with h5py.File(path, "r") as file:
            first, count = file.attrs["first_sample"], file.attrs["num_samples"]
            np.testing.assert_array_equal(
                file["potential"][:], values["potential"][first : first + count]
            )
            assert file["field"].attrs["units"] == "A/m"
            assert [dim.label for dim in file["field"].dims] == ["sample", "point", "axis"]
            assert list(file["field"].dims[2][0]) == [b"x", b"y"]
            assert file["grid"].shape == (-(-count // 8), 24, 2)


@pytest.mark.slow_cases
@pytest.mark.parametrize("compression", ["none", "zstd"])
def test_every_axis_of_hdf5_has_a_scale(
    tmp_path: Path, tiny: Dataset, compression: Compression
) -> None:
    """Readers of netCDF-4 ask for all or none: one for each dimension, of its length."""
    convert(tiny, tmp_path / "data", "hdf5", compression)
    paths = sorted((tmp_path / "data").rglob("*.h5"))
    assert len(paths) > len(tiny.splits)
    for path in paths:
        with h5py.File(path, "r") as file:
            for spec in tiny.split(path.parent.name).layout.arrays():
                array = file[spec.name]
                for dim, name, length in zip(array.dims, spec.dimensions, array.shape, strict=True):
                    assert [scale.name for scale in dim.values()] == [f"/{name}"]
                    scale = file[name]
                    assert (dim.label, scale.shape) == (name, (length,))
                    has_values = name in ("column", "axis")
                    only_a_length = b"This is a netCDF dimension but not a netCDF variable."
                    assert scale.attrs["NAME"].startswith(only_a_length) is not has_values
                    assert (scale.id.get_offset() is not None) is has_values


def test_shard_size_and_format_change_no_content(
    tmp_path: Path, tiny: Dataset, make_dataset: MakeDataset
) -> None:
    """Two shard sizes, two formats: the same values."""
    other = make_dataset(tmp_path / "one", "storage.shard_mb=100", storage_format="hdf5")
    assert len(other.manifest.files) < len(tiny.manifest.files)
    for name in tiny.splits:
        for array, values in whole(tiny, name).items():
            np.testing.assert_array_equal(whole(other, name)[array], values)


def test_the_same_recipe_gives_the_same_bytes(
    tmp_path: Path, tiny: Dataset, tiny_hdf5: Dataset, make_dataset: MakeDataset
) -> None:
    """Every file, manifest and checksum list included, in both formats."""
    for dataset in (tiny, tiny_hdf5):
        storage_format = dataset.manifest.storage_format
        again = make_dataset(
            tmp_path / storage_format, "storage.shard_mb=0.005", storage_format=storage_format
        )
        files = sorted(p.relative_to(dataset.directory) for p in dataset.directory.rglob("*"))
        for file in files:
            if (dataset.directory / file).is_file():
                assert (again.directory / file).read_bytes() == (
                    dataset.directory / file
                ).read_bytes(), file


def test_the_checksum_list_names_every_file(tiny: Dataset, tiny_hdf5: Dataset) -> None:
    """`sha256sum -c manifest-sha256.txt` passes and forgets none but card and list."""
    for dataset in (tiny, tiny_hdf5):
        lines = (dataset.directory / "manifest-sha256.txt").read_text().splitlines()
        listed = {line[66:]: line[:64] for line in lines}
        on_disk = {
            str(path.relative_to(dataset.directory))
            for path in dataset.directory.rglob("*")
            if path.is_file()
        }
        assert set(listed) == on_disk - {"README.md", "manifest-sha256.txt"}
        for path, digest in listed.items():
            assert hashlib.sha256((dataset.directory / path).read_bytes()).hexdigest() == digest


def test_statistics_are_those_of_the_values(tiny: Dataset) -> None:
    """Mean, standard deviation and range of each component, from the manifest."""
    for name in tiny.splits:
        for array, values in whole(tiny, name).items():
            components = values.astype(np.float64)
            if array in ("potential", "num_sources"):
                components = components[..., None]
            flat = components.reshape(-1, components.shape[-1])
            found = tiny.split(name).statistics(array)  # type: ignore[arg-type]
            np.testing.assert_allclose(found.mean, flat.mean(axis=0), rtol=1e-5, atol=1e-7)
            np.testing.assert_allclose(found.std, flat.std(axis=0), rtol=1e-5, atol=1e-7)
            assert found.min == tuple(flat.min(axis=0))
            assert found.max == tuple(flat.max(axis=0))


def test_the_manifest_recipe_makes_the_dataset_again(
    tmp_path: Path, tiny: Dataset, make_dataset: MakeDataset
) -> None:
    """The resolved recipe in the manifest is itself a recipe."""
    path = tmp_path / "recipe.json"
    path.write_text(json.dumps(tiny.manifest.recipe))
    identity = make_plan(load_recipe(DatasetRecipe, "dataset", str(path)), "zarr").identity
    assert identity.recipe == tiny.manifest.recipe
    assert {name: split.layout for name, split in tiny.manifest.splits.items()} == identity.splits


def test_shards_written_in_any_order_make_the_same_dataset(tmp_path: Path, tiny: Dataset) -> None:
    """The manifest depends on the shards, not on the history of their writing."""
    recipe = load_recipe(DatasetRecipe, "dataset", "demo", (*TINY, "storage.shard_mb=0.005"))
    plan = make_plan(recipe, "zarr")
    with DatasetWriter.open(tmp_path / "again", plan.identity) as writer:
        for split, shard in reversed(plan.shards()):
            source = tiny.split(split)
            with writer.shard(split, shard) as sink:
                for index in range(shard.first_block, shard.first_block + shard.num_blocks):
                    sink.append(source.block(index))
        writer.write_metadata()
        assert writer.finish() == tiny.manifest


@pytest.mark.parametrize("index", [-1, 6])
def test_a_block_that_does_not_exist_is_an_index_error(tiny: Dataset, index: int) -> None:
    """The message says which there are."""
    with pytest.raises(IndexError, match=rf"must be 0 to 5; got {index}"):
        tiny.split("train").block(index)


@pytest.mark.slow
def test_all_blocks_share_a_regular_grid(tmp_path: Path, make_dataset: MakeDataset) -> None:
    """Stored once in Zarr and once in each HDF5 file, and seen by every block of every shard."""
    grid = "grid={kind='regular', half_width=2.0, resolution=5}"
    formats: tuple[StorageFormat, ...] = ("zarr", "hdf5")
    made = [
        make_dataset(tmp_path / name, grid, "storage.shard_mb=0.005", storage_format=name)
        for name in formats
    ]
    for name in made[0].splits:
        one, other = (dataset.split(name) for dataset in made)
        verify_split(one)
        verify_split(other)
        for a, b in zip(one.blocks(), other.blocks(), strict=True):
            for array in SOURCE_ARRAYS:
                np.testing.assert_array_equal(getattr(a, array), getattr(b, array))
            np.testing.assert_array_equal(np.unique(a.grid), [-2, -1, 0, 1, 2])
    assert made[0].split("train").layout.num_shards > 1
    group = zarr.open_group(made[0].directory / "train.zarr", mode="r")
    assert group["grid"].shape == (1, 25, 2)
    np.testing.assert_array_equal(group["grid"][0], made[0].split("train").block(5).grid)


def test_shards_grow_with_the_dataset_so_that_its_files_stay_few() -> None:
    """256 MB of what fits on a laptop, 1 GB of terabytes, and never more than 8192 shards."""
    sizes = {10**6: 256e6, 256 * 10**9: 256e6, 512 * 10**9: 512e6, 10**12: 1e9, 8 * 10**12: 1e9}
    assert {total: default_shard_bytes(total) for total in sizes} == pytest.approx(sizes)
    large = ["splits={train={num_samples=1000000000,num_sources=1}}", "grid.num_points=1024"]
    recipe = load_recipe(DATASET_SCHEMA, "dataset", "paper-discs-2d", large)
    plan = plan_of(recipe, "zarr")
    (layout,) = plan.layouts.values()
    assert layout.num_bytes == pytest.approx(12.3e12, rel=0.01)
    assert 8000 < layout.num_shards <= 8192 * 1.01
    assert plan.identity.recipe["storage"] == {"shard_mb": layout.num_bytes / 8192 / 1e6}
    small = load_recipe(DATASET_SCHEMA, "dataset", "paper-discs-2d")
    assert plan_of(small, "zarr").identity.recipe["storage"] == {"shard_mb": 256.0}
