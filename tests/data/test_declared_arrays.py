"""Arrays beyond those of sources, and datasets of arrays alone: written, read, checked."""

import json
import pickle
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any, get_args

import h5py
import numpy as np
import pytest
from click.testing import CliRunner
from declared_arrays import (
    FEW,
    INPUTS,
    OF_BLOCKS,
    TARGETS,
    array_blocks,
    array_layout,
    drawn_values,
    parts_of_block,
    write_any,
)
from mending import edit_manifest, mend_manifest, random_blocks
from pydantic import ValidationError

from hypermagnetics.data import (
    ArrayBlock,
    ArraySplit,
    Compression,
    Dataset,
    DeclaredArray,
    Split,
    SplitLayout,
    StorageFormat,
)
from hypermagnetics.data.cli import main
from hypermagnetics.data.convert import convert
from hypermagnetics.data.verify import find_problems
from hypermagnetics.errors import DatasetError, LabelError

FORMS = [
    (form, compression) for form in get_args(StorageFormat) for compression in get_args(Compression)
]
LAYOUT = array_layout()
VALUES = drawn_values(LAYOUT)
OF_SOURCES = SplitLayout(
    num_samples=23,
    samples_per_grid=4,
    shared_grid=False,
    samples_per_shard=8,
    max_sources=2,
    source_size=5,
    num_points=6,
    dim=2,
    declared=(FEW, OF_BLOCKS),
)


@pytest.fixture(scope="module", params=FORMS, ids="-".join)
def arrays(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    """A dataset of arrays alone, in each form."""
    directory = tmp_path_factory.mktemp("arrays") / "data"
    return write_any(directory, {"train": (LAYOUT, array_blocks(LAYOUT, VALUES))}, *request.param)


@pytest.fixture(scope="module", params=FORMS, ids="-".join)
def sources(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    """A dataset of sources with further arrays, in each form."""
    directory = tmp_path_factory.mktemp("sources") / "data"
    values = drawn_values(OF_SOURCES, 1)
    blocks = [
        replace(block, declared=parts_of_block(OF_SOURCES, values, number))
        for number, block in enumerate(random_blocks(OF_SOURCES))
    ]
    return write_any(directory, {"train": (OF_SOURCES, blocks)}, *request.param)


def test_every_value_is_read_as_it_was_written(arrays: Dataset) -> None:
    split = arrays.array_split("train")
    wanted = array_blocks(LAYOUT, VALUES)
    for found, block in zip(split.read(range(LAYOUT.num_blocks)), wanted, strict=True):
        assert found.num_samples == block.num_samples
        for spec in LAYOUT.arrays():
            np.testing.assert_array_equal(found.values(spec.name), block.values(spec.name))
    for name, values in VALUES.items():
        np.testing.assert_array_equal(split.entries(name, range(len(values))), values)
        some = np.array([len(values) - 1, 0, 2])
        np.testing.assert_array_equal(split.entries(name, some), values[some])
    assert list(find_problems(arrays)) == []


def test_sources_and_further_arrays_are_read_together(sources: Dataset) -> None:
    split, values = sources.split("train"), drawn_values(OF_SOURCES, 1)
    for number, block in enumerate(random_blocks(OF_SOURCES)):
        found = split.block(number)
        np.testing.assert_array_equal(found.potential, block.potential)
        for name, part in parts_of_block(OF_SOURCES, values, number).items():
            np.testing.assert_array_equal(found.values(name), part)
    assert len(split.block(5).values("few")) == 0, "only the first 9 samples have a row"
    assert len(split[5:7]) == 2
    assert list(find_problems(sources)) == []


def test_statistics_are_those_of_each_component(arrays: Dataset) -> None:
    split = arrays.array_split("train")
    found = split.statistics("jacobian")
    each = VALUES["jacobian"].reshape(-1, 3).astype(np.float64)
    np.testing.assert_allclose(found.mean, each.mean(0), rtol=1e-5)
    np.testing.assert_allclose(found.std, each.std(0), rtol=1e-5)
    assert found.max == tuple(each.max(0))
    few = split.statistics("few")
    np.testing.assert_allclose(few.mean, VALUES["few"].astype(np.float64).mean(0), rtol=1e-5)
    assert len(split.statistics("targets").mean) == 1, "of one kind"


def test_a_dataset_of_sources_alone_keeps_version_1_and_its_keys(tmp_path: Path) -> None:
    plain = OF_SOURCES.model_copy(update={"declared": ()})
    write_any(tmp_path / "data", {"train": (plain, random_blocks(plain))})
    manifest = json.loads((tmp_path / "data/manifest.json").read_text())
    assert manifest["format_version"] == 1
    assert list(manifest["splits"]["train"]["layout"]) == [
        *("num_samples", "samples_per_grid", "shared_grid", "grid_shape", "samples_per_shard"),
        *("max_sources", "source_size", "num_points", "dim"),
    ]


@pytest.mark.slow_cases
def test_further_arrays_are_version_2_of_the_format(arrays: Dataset, sources: Dataset) -> None:
    assert arrays.manifest.format_version == sources.manifest.format_version == 2
    assert (arrays.has_sources, sources.has_sources) == (False, True)
    assert sources.arrays == ("few", "of_blocks")


@pytest.mark.slow_cases
@pytest.mark.parametrize("form", FORMS, ids="-".join)
def test_conversion_keeps_every_value(
    arrays: Dataset, tmp_path: Path, form: tuple[StorageFormat, Compression]
) -> None:
    """And gives the very bytes of a dataset written so at once."""
    made = convert(arrays, tmp_path / "converted", *form, 2000.0)
    again = Dataset.open(tmp_path / "converted")
    for name, values in VALUES.items():
        found = again.array_split("train").entries(name, range(len(values)))
        np.testing.assert_array_equal(found, values)
    (layout,) = again.manifest.array_layouts.values()
    direct = write_any(
        tmp_path / "direct", {"train": (layout, array_blocks(layout, VALUES))}, *form
    )
    assert made.to_json() == direct.manifest.to_json()


def test_sources_are_asked_for_in_a_sentence(arrays: Dataset) -> None:
    for ask in (lambda: arrays.split("train"), lambda: arrays.columns):
        with pytest.raises(DatasetError, match=r"must be one of sources.*arrays alone, inputs, "):
            ask()


def test_arrays_alone_are_asked_for_in_a_sentence(sources: Dataset) -> None:
    with pytest.raises(DatasetError, match=r"must be one of arrays alone"):
        sources.array_split("train")
    assert isinstance(sources.any_split("train"), Split)


def test_hm_data_describes_arrays(arrays: Dataset) -> None:
    directory, runner = str(arrays.directory), CliRunner()
    info = runner.invoke(main, ["info", directory], catch_exceptions=False).output
    assert "arrays: inputs (3 for each sample), targets (2 x 4 for each sample)" in info
    assert "input 2" in info
    assert "sources" not in info
    head = runner.invoke(main, ["head", directory, "--samples", "10"]).output
    assert f"{VALUES['number'][9]:.6g}" in head
    assert runner.invoke(main, ["verify", directory]).exit_code == 0
    recomputed = runner.invoke(main, ["verify", directory, "--recompute", "1"])
    assert recomputed.exit_code == 2
    card = (arrays.directory / "README.md").read_text()
    assert "| few | sample, parameter |  | 5 for each sample, of the first 9 samples |" in card


def test_other_software_reads_the_values(arrays: Dataset) -> None:
    labelled = arrays.array_split("train").to_xarray()
    np.testing.assert_array_equal(labelled.jacobian.values, VALUES["jacobian"])
    assert labelled.few.dims == ("sample_with_few", "parameter")
    if arrays.manifest.storage_format == "zarr":
        import xarray

        opened = xarray.open_zarr(arrays.directory / "train.zarr", consolidated=False)
        for name, values in VALUES.items():
            np.testing.assert_array_equal(opened[name].values, values)
    elif arrays.manifest.compression == "none":
        with h5py.File(arrays.directory / "train/shard-00002.h5") as file:
            np.testing.assert_array_equal(file["targets"][:], VALUES["targets"][16:])
            assert "few" not in file, "its rows are in the shards before"


@pytest.mark.parametrize(
    ("change", "rule", "said"),
    [
        (lambda m: m.update(format_version=1), "M4", "must be 2"),
        (lambda m: m["splits"]["train"]["arrays"].pop("few"), "M4", "arrays"),
        (
            lambda m: m["splits"]["train"]["arrays"]["number"].update(shape=[24]),
            "M4",
            "be float32 [23], which follows",
        ),
        (
            lambda m: m["splits"]["train"]["layout"]["declared"][0].update(name="../up"),
            "M3",
            "name",
        ),
        (
            lambda m: m["splits"]["train"]["layout"]["declared"][0].update(dtype="object"),
            "M3",
            "dtype",
        ),
        (lambda m: m.update(columns=["moment_x"], column_units=["A m"]), "M4", "be empty"),
        (
            lambda m: m["splits"]["train"]["layout"]["declared"][5].update(
                item_shape=[2**20, 2**20], dimensions=["long", "wide"]
            ),
            "M4",
            "blocks of at most",
        ),
    ],
)
def test_a_manifest_that_disagrees_is_refused(
    arrays: Dataset, tmp_path: Path, change: Any, rule: str, said: str
) -> None:
    copy = Path(shutil.copytree(arrays.directory, tmp_path / "copy"))
    edit_manifest(copy, change)
    with pytest.raises(DatasetError, match=f"rule {rule}") as refusal:
        Dataset.open(copy)
    assert said in str(refusal.value)


def test_a_changed_value_and_one_that_is_not_finite_are_found(
    arrays: Dataset, tmp_path: Path
) -> None:
    if arrays.manifest.compression != "none":
        pytest.skip("a byte of a frame is another test's")
    copy = Path(shutil.copytree(arrays.directory, tmp_path / "copy"))
    is_zarr = arrays.manifest.storage_format == "zarr"
    name = "train.zarr/targets/c/0/0/0" if is_zarr else "train/shard-00000.h5"
    data = bytearray((copy / name).read_bytes())
    at = data.index(VALUES["targets"][0].tobytes())
    data[at : at + 4] = np.float32(np.nan).tobytes()
    (copy / name).write_bytes(data)
    assert any("rule D5" in str(found) for found in find_problems(Dataset.open(copy)))
    mend_manifest(copy, copy / name)
    (found,) = find_problems(Dataset.open(copy))
    assert "targets must be finite" in str(found)


def test_a_block_of_another_shape_or_without_a_number_is_not_written(tmp_path: Path) -> None:
    layout = array_layout((INPUTS,), 4, 4, 4)
    wrong = ArrayBlock(4, {"inputs": np.zeros((4, 2), np.float32)})
    with pytest.raises(DatasetError, match=r"must have shape \[4, 3\]"):
        write_any(tmp_path / "one", {"train": (layout, [wrong])})
    nothing = ArrayBlock(4, {"inputs": np.full((4, 3), np.nan, np.float32)})
    with pytest.raises(LabelError, match="The inputs must be finite"):
        write_any(tmp_path / "two", {"train": (layout, [nothing])})


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"name": "potential"}, "arrays of sources"),
        ({"dimensions": ("input", "other")}, "one for each axis"),
        ({"components": "other"}, "one of the dimensions"),
        ({"item_shape": (65,)}, "at most 64"),
        ({"per": "block", "num_rows": 3}, "null for an array of blocks"),
    ],
)
def test_a_declaration_agrees_with_itself(values: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        DeclaredArray.model_validate({**INPUTS.model_dump(), **values})


@pytest.mark.parametrize(
    ("declared", "said"),
    [
        ((INPUTS, INPUTS), "each name once"),
        ((INPUTS, TARGETS.model_copy(update={"dimensions": ("input", "cell")})), "one length"),
        ((FEW.model_copy(update={"num_rows": 99}),), "below the 23 samples"),
    ],
)
def test_arrays_of_a_split_agree(declared: tuple[DeclaredArray, ...], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        array_layout(declared)


def test_a_split_travels_to_other_processes(arrays: Dataset) -> None:
    split = pickle.loads(pickle.dumps(arrays.array_split("train")))
    assert isinstance(split, ArraySplit)
    np.testing.assert_array_equal(split.block(0).values("inputs"), VALUES["inputs"][:4])
