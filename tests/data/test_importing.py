"""Files of the published code become datasets whose labels belong to their sources."""

from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from recording import Recording
from team_files import DAMAGES, OLD_SHAPES, OldFile, old_file, refuse_other_labels, volumes

from hypermagnetics.data import Dataset, Split, StorageFormat
from hypermagnetics.data.importing import BODIES as IMPORTED_BODIES
from hypermagnetics.data.importing import Units, import_team_file, missing_units
from hypermagnetics.data.team_file import read_team_file
from hypermagnetics.errors import DatasetError
from hypermagnetics.sources import BODIES

SI = Units(length="m", field="A/m")


@pytest.fixture(autouse=True)
def without_children(monkeypatch: pytest.MonkeyPatch) -> None:
    """Files are read by this process alone; test_hdf5_reading.py has the other one."""
    monkeypatch.setattr("hypermagnetics.data.team_file.read_first", len)


KINDS = [pytest.param(shape, dim, id=body) for (shape, dim), body in OLD_SHAPES.items()]


def imported(tmp_path: Path, old: OldFile, **options: Any) -> Dataset:
    """Write an old file, and import it."""
    path = old.write(tmp_path / "old.h5")
    import_team_file(read_team_file(path), tmp_path / "new", **({"units": SI} | options))
    return Dataset.open(tmp_path / "new")


def joined(split: Split, name: str) -> np.ndarray:
    """An array of all samples of a split."""
    return np.concatenate([getattr(block, name) for block in split.blocks()])


def column(dataset: Dataset, name: str) -> np.ndarray:
    """A column of all sources."""
    found = joined(dataset.split("points"), "sources")
    return found[..., dataset.manifest.columns.index(name)]


def test_the_codes_of_bodies_are_those_of_the_sources() -> None:
    """`data` knows them by heart, as it may not import what defines them."""
    named = [pair for by_dim in IMPORTED_BODIES.values() for pair in by_dim.values()]
    assert all(BODIES[code] == name for name, code in named)
    assert {name for name, _ in named} == set(OLD_SHAPES.values())


@pytest.mark.slow_cases
@pytest.mark.parametrize("grid", [False, True], ids=["points", "points and grid"])
@pytest.mark.parametrize("target_source", [False, True], ids=["shared", "at the sources"])
@pytest.mark.parametrize(("shape", "dim"), KINDS)
def test_labels_belong_to_the_imported_sources(
    tmp_path: Path, shape: str, dim: int, target_source: bool, grid: bool
) -> None:
    """Recomputed from the imported sources, every label is the one that was in the file."""
    old = old_file(shape, dim, target_source=target_source, grid=grid)
    dataset = imported(tmp_path, old)
    refuse_other_labels(dataset)
    assert dataset.splits == (("points", "grid") if grid else ("points",))
    for name, points, suffix in (("points", "r", ""), ("grid", "grid", "_grid"))[: 1 + grid]:
        split = dataset.split(name)
        assert split.layout.shared_grid is (name == "grid" or not target_source)
        np.testing.assert_array_equal(joined(split, "potential"), old.datasets[f"msp{suffix}"])
        np.testing.assert_array_equal(joined(split, "field"), old.datasets[f"field{suffix}"])
        for index, block in enumerate(split.blocks()):
            own = target_source and name == "points"
            stored = old.datasets[points][index] if own else old.datasets[points]
            np.testing.assert_array_equal(block.grid, stored)


@pytest.mark.slow_cases
@pytest.mark.parametrize(("shape", "dim"), KINDS)
@pytest.mark.parametrize("m_is", ["moment", "magnetisation"])
def test_m_may_be_either(tmp_path: Path, shape: str, dim: int, m_is: str) -> None:
    """The shape tells what the published code meant, but some releases had it otherwise."""
    old = old_file(shape, dim, m_is=m_is)
    dataset = imported(tmp_path, old, m_is=m_is)
    refuse_other_labels(dataset)
    factor = volumes(shape, old.datasets["size"].astype(np.float64)) if m_is != "moment" else 1.0
    expected = old.datasets["m"][..., 0] * factor
    np.testing.assert_allclose(column(dataset, "moment_x"), expected, rtol=1e-6)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("shape", "dim", "size", "constants"),
    [
        ("sphere", 2, 0.5, {"radius": 0.5}),
        ("prism", 2, 0.25, {"dimension_x": 0.5, "dimension_y": 0.5, "angle": 0.0}),
        ("prism", 3, np.array([0.25, 0.5, 10.0]), {"dimension_x": 0.5, "dimension_z": 20.0}),
    ],
    ids=["radius", "square", "long bar"],
)
def test_sizes_that_all_share_are_constants(
    tmp_path: Path, shape: str, dim: int, size: Any, constants: dict[str, float]
) -> None:
    """As hm-generate has them: half sides become full, and a rotation is none."""
    dataset = imported(tmp_path, old_file(shape, dim, size=size))
    assert constants.items() <= dataset.manifest.constants.items()
    assert len(dataset.manifest.columns) == 2 * dim
    refuse_other_labels(dataset)


@pytest.mark.slow
def test_a_size_that_some_axes_share_is_a_constant_of_its_own(tmp_path: Path) -> None:
    """The published two-dimensional prisms are bars of half length 10."""
    size = np.random.default_rng(1).uniform(0.1, 0.5, (7, 4, 3))
    size[..., 2] = 10.0
    dataset = imported(tmp_path, old_file("prism", 3, size=size))
    assert dataset.manifest.columns[6:] == ("dimension_x", "dimension_y")
    assert dataset.manifest.constants["dimension_z"] == 20.0
    np.testing.assert_array_equal(column(dataset, "dimension_x"), np.float32(2 * size[..., 0]))
    refuse_other_labels(dataset)


@pytest.mark.slow_cases
@pytest.mark.parametrize(("shape", "dim"), KINDS)
@pytest.mark.parametrize("field", ["A/m", "T"])
def test_numbers_of_other_units_are_coherent(
    tmp_path: Path, shape: str, dim: int, field: Any
) -> None:
    """The published code, fed with mm and T, gives fields in T and potentials in T mm."""
    old = old_file(shape, dim)
    dataset = imported(tmp_path, old, units=Units(length="mm", field=field))
    refuse_other_labels(dataset)
    factor = 1.0 if field == "A/m" else 1e7 / (4 * np.pi)
    block = dataset.split("points").block(0)
    np.testing.assert_allclose(block.grid, old.datasets["r"] * 1e-3, rtol=1e-6)
    np.testing.assert_allclose(block.field, old.datasets["field"] * factor, rtol=1e-6)
    np.testing.assert_allclose(block.potential, old.datasets["msp"] * factor * 1e-3, rtol=1e-6)


@pytest.mark.parametrize("stated", [{}, {"m": "A m^2"}, {"m": "mA·m²"}, {"m": "kA/m"}, {"m": "T"}])
def test_units_that_the_file_states_count(tmp_path: Path, stated: dict[str, str]) -> None:
    """Beside each dataset, whatever the others are in; that of `m` tells what it is."""
    old = old_file("sphere", 3)
    m = old.datasets["m"].astype(np.float64)
    volume = volumes("sphere", old.datasets["size"].astype(np.float64))[..., None]
    in_file = {
        "A m^2": m,
        "mA·m²": m * 1e3,
        "kA/m": m / volume / 1e3,
        "T": m / volume * 4e-7 * np.pi,
    }
    old.datasets["m"] = in_file[stated.get("m", "A m^2")].astype(np.float32)
    old.datasets["r"] *= 1e3
    old.datasets["size"] = old.datasets["size"] * 1e2
    old.datasets["msp"] = old.datasets["msp"] * 1e3
    old.units = {"r": "mm", "size": "cm", "msp": "mA", "r0": "m", "field": "A m^-1", **stated}
    given = {} if stated else {"m": "A m^2"}
    assert missing_units(read_team_file(old.write(tmp_path / "some.h5"))) == (
        () if stated else ("field",)
    )
    dataset = imported(tmp_path, old, units=Units(**given))
    refuse_other_labels(dataset)
    assert dataset.manifest.recipe["imported"]["units"] == {**old.units, **given}  # type: ignore


@pytest.mark.parametrize(
    ("units", "missing"),
    [
        ({}, ("length", "field")),
        ({"r0": "m", "size": "m"}, ("length", "field")),
        ({"r0": "m", "size": "m", "r": "m"}, ("field",)),
        ({"m": "A m", "msp": "A", "field": "A/m"}, ("length",)),
    ],
    ids=["none", "not of r", "lengths", "no lengths"],
)
def test_missing_units_are_named_and_refused(
    tmp_path: Path, units: dict[str, str], missing: tuple[str, ...]
) -> None:
    """A program can ask for them; the import does not guess."""
    old = old_file()
    old.units = units
    assert missing_units(read_team_file(old.write(tmp_path / "asked.h5"))) == missing
    with pytest.raises(
        DatasetError, match=r"The unit of '\w+' must be stated by the file or by the caller"
    ):
        imported(tmp_path, old, units=None)
    assert not (tmp_path / "new").exists()
    both: dict[str, Any] = {"length": "m", "field": "A/m"}
    imported(tmp_path, old, units=Units(**{name: both[name] for name in missing}))


@pytest.mark.parametrize(
    ("stated", "given"),
    [
        ({"r0": "A/m"}, {}),
        ({"r0": "mm"}, {"length": "m"}),
        ({"msp": "V"}, {}),
        ({"field": "A//m"}, {}),
        ({"m": "A m^2"}, {}),
        ({}, {"potential": "T"}),
    ],
    ids=["of a field", "other than given", "unknown", "no unit", "of 3D", "given wrong"],
)
def test_contradictory_units_are_refused(
    tmp_path: Path, stated: dict[str, str], given: dict[str, str]
) -> None:
    """Rather than one of two believed."""
    old = old_file()
    old.units = stated
    with pytest.raises(DatasetError, match=r"The unit of '\w+' must be that of a .*; got '"):
        imported(tmp_path, old, units=Units(**({"length": "m", "field": "A/m"} | given)))


def test_older_names_and_single_radii_are_read(tmp_path: Path) -> None:
    """`potential` was the name before `msp`; one number is enough for a radius."""
    old = old_file("sphere", 3, grid=True, potential="potential")
    old.datasets["size"] = old.datasets["size"][..., :1]
    refuse_other_labels(imported(tmp_path, old))


def test_a_grid_that_was_not_evaluated_is_left_out(tmp_path: Path) -> None:
    """The published code makes its datasets all the same, full of NaN and zeros."""
    old = old_file(grid=True)
    old.attributes["grid_eval"] = False
    old.datasets["grid"][:] = np.nan
    assert imported(tmp_path, old).splits == ("points",)


def test_what_was_imported_is_recorded(tmp_path: Path) -> None:
    """File, sha256, what `m` was, units and attributes; the seed of the file is the dataset's."""
    path = old_file("prism", 2).write(tmp_path / "old.h5")
    manifest = import_team_file(read_team_file(path), tmp_path / "new", units=SI)
    recipe: Any = manifest.recipe["imported"]
    assert (recipe["file"], recipe["m_is"]) == ("old.h5", "magnetisation")
    assert recipe["units"]["msp"] == "A/m m"
    assert recipe["attributes"]["eps"] == 1e-5
    assert recipe["attributes"]["shape"] == "prism"
    assert (manifest.seed, manifest.bodies) == (40, {"rectangle": 2})
    assert manifest.column_units == ("A m", "A m", "m", "m", "m", "m")


@pytest.mark.slow
@pytest.mark.parametrize("storage_format", ["zarr", "hdf5"])
@pytest.mark.parametrize("target_source", [False, True], ids=["shared", "at the sources"])
def test_an_interrupted_import_goes_on(
    tmp_path: Path, storage_format: StorageFormat, target_source: bool
) -> None:
    """Killed anywhere between two blocks, it ends with the bytes of an undisturbed one."""
    old = old_file(samples=300, target_source=target_source, grid=True)
    path = old.write(tmp_path / "old.h5")
    options: Any = {"units": SI, "storage_format": storage_format, "shard_bytes": 2e4}
    done = Recording()
    manifest = import_team_file(read_team_file(path), tmp_path / "whole", listener=done, **options)
    assert (done.skipped, done.total) == (0, 600)
    assert all(split.layout.num_shards > 1 for split in manifest.splits.values())

    killed = Recording(351, KeyboardInterrupt)
    with pytest.raises(KeyboardInterrupt):
        import_team_file(read_team_file(path), tmp_path / "cut", listener=killed, **options)
    with pytest.raises(DatasetError, match="must have a manifest"):
        Dataset.open(tmp_path / "cut")
    rest = Recording()
    import_team_file(read_team_file(path), tmp_path / "cut", listener=rest, **options)
    assert rest.total == 600
    assert 0 < rest.skipped < 600
    whole, cut = (
        {str(p.relative_to(root)): p.read_bytes() for p in root.rglob("*") if p.is_file()}
        for root in (tmp_path / "whole", tmp_path / "cut")
    )
    assert whole == cut


def test_another_file_does_not_complete_an_import(tmp_path: Path) -> None:
    """The sha256 of the file is part of what is being made."""
    old = old_file()
    path = old.write(tmp_path / "old.h5")

    killed = Recording(1, KeyboardInterrupt)
    with pytest.raises(KeyboardInterrupt):
        import_team_file(read_team_file(path), tmp_path / "new", units=SI, listener=killed)
    old.datasets["msp"][0, 0] += 1
    old.write(path)
    with pytest.raises(DatasetError, match="unfinished one of another recipe"):
        import_team_file(read_team_file(path), tmp_path / "new", units=SI)


@pytest.mark.parametrize("case", DAMAGES)
def test_unsound_files_are_refused(tmp_path: Path, case: str) -> None:
    """With what is wrong and where, whatever HDF5 makes of it; no dataset comes of it."""
    damage, message = DAMAGES[case]
    path = old_file().write(tmp_path / "old.h5")
    with h5py.File(path, "r+") as file:
        damage(file)
    units = Units(length="m", field="T" if case == "too large" else "A/m", m="A m")
    with pytest.raises(DatasetError, match=message):
        import_team_file(read_team_file(path), tmp_path / "new", units=units)
    assert not (tmp_path / "new" / "manifest.json").exists()


@pytest.mark.parametrize("content", [None, b"", b"not HDF5", "half"], ids=str)
def test_what_is_no_hdf5_file_is_refused(tmp_path: Path, content: bytes | str | None) -> None:
    """Absent, empty, something else, or cut off."""
    path = old_file().write(tmp_path / "old.h5")
    whole = path.read_bytes()
    path.unlink()
    if content is not None:
        path.write_bytes(content if isinstance(content, bytes) else whole[: len(whole) // 2])
    with pytest.raises(DatasetError, match=r"A team file must be (an existing|a whole HDF5) file"):
        missing_units(read_team_file(path))
