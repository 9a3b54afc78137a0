"""The grids of a dataset."""

import hashlib
from pathlib import Path

import numpy as np
import pytest
import scipy.stats
from small_plans import plan_of

from hypermagnetics.config import checked, load_recipe
from hypermagnetics.errors import RecipeError
from hypermagnetics.generate.config import DatasetRecipe
from hypermagnetics.generate.draw import draw_block
from hypermagnetics.generate.plan import SourcePlan, make_plan
from hypermagnetics.recipe_toml import recipe_toml

SURFACE = {"kind": "surface", "half_width": 2.0, "num_points": 400, "share": 0.3, "distance": 0.05}


def grid(plan: SourcePlan, index: int = 0) -> np.ndarray:
    return draw_block(plan.recipe, plan.columns, "train", plan.identity.splits["train"], index).grid


@pytest.mark.parametrize("dim", [2, 3])
def test_a_random_grid_fills_the_box(dim: int) -> None:
    """Anew for each block, in float32."""
    random = {"kind": "random", "half_width": 2.0, "num_points": 5000}
    plan = plan_of(body={"kind": "dipole", "dim": dim}, grid=random, samples_per_grid=8)
    points = grid(plan)
    assert points.dtype == np.float32
    assert points.shape == (5000, dim)
    for axis in points.T:
        assert scipy.stats.kstest(axis, "uniform", (-2, 4)).pvalue > 1e-3
    assert len(np.unique(np.concatenate([points, grid(plan, 1)]), axis=0)) == 10_000
    assert not plan.identity.splits["train"].shared_grid


@pytest.mark.parametrize("dim", [2, 3])
def test_a_regular_grid_has_dim_dimensions(dim: int) -> None:
    """All samples share it."""
    regular = {"kind": "regular", "half_width": 1.0, "resolution": 3}
    plan = plan_of(body={"kind": "dipole", "dim": dim}, grid=regular)
    layout = plan.identity.splits["train"]
    assert (layout.num_points, layout.dim, layout.shared_grid) == (3**dim, dim, True)
    expected = np.stack(np.meshgrid(*[[-1, 0, 1]] * dim, indexing="ij"), -1).reshape(-1, dim)
    np.testing.assert_array_equal(grid(plan), expected)


@pytest.mark.parametrize("dim", [2, 3])
def test_a_halo_surrounds_a_regular_grid_and_moves_no_point_of_it(dim: int) -> None:
    """Outside the box, as far apart as the points inside."""
    regular = {"kind": "regular", "half_width": 1.0, "resolution": 5}
    plans = [
        plan_of(body={"kind": "dipole", "dim": dim}, grid=regular | {"halo": halo})
        for halo in (0, 2)
    ]
    layout = plans[1].identity.splits["train"]
    assert layout.grid_shape is not None
    assert (layout.grid_shape.points_per_side, layout.grid_shape.halo) == (9, 2)
    wide = grid(plans[1]).reshape(*[9] * dim, dim)
    inner = wide[(slice(2, -2),) * dim].reshape(-1, dim)
    np.testing.assert_array_equal(inner, grid(plans[0]))
    np.testing.assert_array_equal(np.unique(wide), np.arange(-4, 5) / 2)


@pytest.mark.parametrize("share", [0.3, 0.0013, 1.0])
def test_the_stated_share_of_points_is_near_surfaces(share: float) -> None:
    """Exactly; they come first, and the others are uniform."""
    plan = plan_of(grid=SURFACE | {"share": share}, num_sources=[1, 4])
    layout, near = plan.identity.splits["train"], round(share * 400)
    assert layout.samples_per_grid == plan.recipe.samples_per_grid == 1
    others = []
    for index in range(20):
        sources, counts, points = draw_block(plan.recipe, plan.columns, "train", layout, index)
        centres = sources[0, : counts[0], 2:4].astype(np.float64)
        from_centre = np.linalg.norm(points[:, None] - centres, axis=-1)
        distance = np.abs(from_centre - 0.25).min(axis=1)
        assert distance[:near].max(initial=0) <= 0.05
        others.append(points[near:])
    assert len(np.concatenate(others)) == 20 * (400 - near)
    for axis in np.concatenate(others).T:
        if len(axis):
            assert scipy.stats.kstest(axis, "uniform", (-2, 4)).pvalue > 1e-3


def test_a_surface_grid_follows_its_own_sample() -> None:
    """The grid of sample i is the same wherever the split ends."""
    first, second = (plan_of(grid=SURFACE, num_samples=count) for count in (5, 9))
    for index in range(5):
        np.testing.assert_array_equal(grid(first, index), grid(second, index))


@pytest.mark.parametrize("name", ["points.npy", "points.csv", "points.txt"])
def test_the_points_of_a_file(tmp_path: Path, name: str) -> None:
    """As they are, for all samples; the resolved recipe knows their sha256."""
    points, path = np.random.default_rng(0).normal(size=(7, 2)), tmp_path / name
    if path.suffix == ".npy":
        np.save(path, points)
    else:
        np.savetxt(path, points, fmt="%.17g", delimiter="," if path.suffix == ".csv" else " ")
    plan = plan_of(grid={"kind": "file", "path": str(path)})
    layout = plan.identity.splits["train"]
    assert (layout.num_points, layout.shared_grid) == (7, True)
    np.testing.assert_array_equal(grid(plan), points.astype(np.float32))
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    known = plan.identity.recipe["grid"]
    assert known == {"kind": "file", "path": str(path), "sha256": digest}
    again = plan_of(grid=known)
    assert again.identity == plan.identity
    path.write_bytes(path.read_bytes() + b"\n")
    with pytest.raises(RecipeError, match=f"must have sha256 {digest}, as the recipe says; got "):
        plan_of(grid=known)
    if path.suffix != ".npy":
        assert plan_of(grid={"kind": "file", "path": str(path)}).identity != plan.identity


@pytest.mark.parametrize("dim", [2, 3])
def test_the_points_of_a_list(tmp_path: Path, dim: int) -> None:
    """Those of a file with the same points; the resolved recipe has them as they were given."""
    points = np.random.default_rng(0).normal(size=(7, dim))
    body = {"kind": "dipole", "dim": dim}
    listed = {"kind": "list", "points": points.tolist()}
    np.save(tmp_path / "points.npy", points)
    plan = plan_of(body=body, grid=listed)
    of_file = plan_of(body=body, grid={"kind": "file", "path": str(tmp_path / "points.npy")})
    assert plan.layouts == of_file.layouts
    np.testing.assert_array_equal(grid(plan), grid(of_file))
    np.testing.assert_array_equal(grid(plan), points.astype(np.float32))
    assert plan.identity.recipe["grid"] == listed
    assert plan_of(body=body, grid=plan.identity.recipe["grid"]) == plan
    moved = listed | {"points": (points + 1e-9).tolist()}
    assert plan_of(body=body, grid=moved).identity != plan.identity


def test_a_recipe_file_has_room_for_the_longest_list(tmp_path: Path) -> None:
    """In three dimensions, each coordinate to the last digit."""
    points = np.random.default_rng(0).normal(size=(4096, 3))
    table = {
        "title": "Many sensors",
        "seed": 1,
        "sources": {
            "body": {"kind": "sphere", "radius": 0.1},
            "moment": {"distribution": "constant", "value": [0.0, 0.0, 1.0]},
            "position": {"distribution": "constant", "value": [0.0, 0.0, 0.0]},
        },
        "grid": {"kind": "list", "points": points.tolist()},
        "splits": {"train": {"num_samples": 2, "num_sources": 1}},
    }
    recipe = checked(DatasetRecipe, table, "the test")
    for suffix, text in (("json", recipe.model_dump_json()), ("toml", recipe_toml(recipe))):
        path = tmp_path / f"recipe.{suffix}"
        path.write_text(text, encoding="utf-8")
        assert load_recipe(DatasetRecipe, "dataset", str(path)) == recipe
    np.testing.assert_array_equal(grid(make_plan(recipe, "zarr")), points.astype(np.float32))


def test_other_points_are_seen(tmp_path: Path) -> None:
    """Also in one process: nothing stale is kept."""
    path = tmp_path / "points.txt"
    for value in (1, 2):
        path.write_text(f"{value} 0\n")
        assert grid(plan_of(grid={"kind": "file", "path": str(path)}))[0, 0] == value


BAD_FILES: dict[str, tuple[str, bytes, str]] = {
    "wrong number of columns": ("a.csv", b"1,2,3\n4,5,6\n", r"rows of 2 columns.*\(2, 3\)"),
    "no rows": ("a.txt", b"# x y\n", r"must have 1 to 16777216 rows"),
    "not finite": ("a.csv", b"1,2\n3,nan\n", r"must be finite.*got nan \(row 1, column 1 of "),
    "too large for float32": ("a.txt", b"1 2\n1e39 0\n", r"got 1e\+39 \(row 1, column 0"),
    "no numbers": ("a.csv", b"x,y\n1,2\n", r"readable as .csv by numpy; got: could not convert"),
    "ragged": ("a.txt", b"1 2\n3\n", r"readable as .txt by numpy; got: "),
    "no text": ("a.txt", b"\xff\xfe\x00", r"readable as .txt by numpy; got: "),
    "no array": ("a.npy", b"1 2\n", r"readable as .npy by numpy; got: "),
    "a damaged head": (
        "a.npy",
        b"\x93NUMPY\x01\x00\x40\x00" + b"{'descr': '<f8', 'shape': (12, 2, ".ljust(63) + b"\n",
        r"readable as .npy by numpy; got: ",
    ),
    "another kind of file": ("a.dat", b"1 2\n", r"existing .npy, .csv or .txt file"),
}


@pytest.mark.parametrize("case", BAD_FILES)
def test_a_bad_points_file_is_refused(tmp_path: Path, case: str) -> None:
    """In one sentence that names the file and says what to do."""
    name, content, message = BAD_FILES[case]
    (tmp_path / name).write_bytes(content)
    refused(tmp_path / name, message)


def test_a_points_file_of_objects_or_of_none_is_refused(tmp_path: Path) -> None:
    """Nothing is unpickled."""
    np.save(tmp_path / "a.npy", np.array([[0, None]], object), allow_pickle=True)
    refused(tmp_path / "a.npy", "readable as .npy by numpy; got: Object arrays")
    np.save(tmp_path / "b.npy", np.ones((3, 2), bool))
    refused(tmp_path / "b.npy", "must hold real numbers; got bool")
    np.save(tmp_path / "c.npy", np.ones((3, 2), complex))
    refused(tmp_path / "c.npy", "must hold real numbers; got complex128")
    refused(tmp_path / "d.npy", "must be an existing .npy, .csv or .txt file; got ")


def refused(path: Path, message: str) -> None:
    with pytest.raises(RecipeError, match=message) as caught:
        plan_of(grid={"kind": "file", "path": str(path)})
    text = str(caught.value)
    assert "\n" not in text
    assert path.name in text
    assert text.endswith(".")
