"""Shipped recipes for Fisher information, against numbers from outside of this package."""

from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from hypermagnetics.config import load_recipe
from hypermagnetics.data import Block, Dataset
from hypermagnetics.data.cli import main
from hypermagnetics.generate.config import DatasetRecipe
from hypermagnetics.generate.plan import make_plan
from hypermagnetics.generate.run import generate

SMALL = "splits={train={num_samples=3, num_sources=1}}"
SIGMA = 0.05
"""Standard deviation of the noise of each component of the field [A/m]."""


def made(directory: Path, name: str, *overrides: str) -> Dataset:
    """A few samples of a shipped recipe."""
    recipe = load_recipe(DatasetRecipe, "dataset", name, (SMALL, *overrides))
    generate(make_plan(recipe, "zarr"), directory)
    return Dataset.open(directory)


def block_of(dataset: Dataset) -> Block:
    return dataset.split("train").block(0)


def information(dataset: Dataset) -> np.ndarray:
    """J^T J / sigma^2 of the first sample."""
    derivatives = block_of(dataset).values("derivatives")[0].astype(np.float64)
    jacobian = derivatives.reshape(-1, derivatives.shape[-1])
    found: np.ndarray = jacobian.T @ jacobian / SIGMA**2
    return found


@pytest.mark.slow_cases
@pytest.mark.parametrize(
    ("columns", "position", "determinant"),
    [
        (["position_x", "position_y"], [0.3, -0.2], 45.688),
        (["moment_x", "moment_y"], [0.0, 0.0], 25.665),
        (["moment", "position"], [0.3, -0.2], 1193.8),
    ],
)
def test_eight_sensors_around_a_disc(
    columns: list[str], position: list[float], determinant: float, tmp_path: Path
) -> None:
    """Determinants of the Fisher information that were computed without this package."""
    dataset = made(
        tmp_path / "data",
        "fisher-sensors",
        f"derivatives.columns={columns}",
        f"sources.position.value={position}",
    )
    found = information(dataset)
    np.testing.assert_allclose(np.linalg.det(found), determinant, rtol=3e-5)
    if position == [0.0, 0.0]:
        np.testing.assert_allclose(found, 5.06606 * np.eye(2), rtol=1e-6, atol=1e-6)


def test_the_sensors_as_shipped(tmp_path: Path) -> None:
    """Every sample is the same, of one source, and all is recomputed."""
    dataset = made(tmp_path / "data", "fisher-sensors")
    block = block_of(dataset)
    np.testing.assert_array_equal(block.field, np.broadcast_to(block.field[:1], (3, 8, 2)))
    np.testing.assert_allclose(np.linalg.norm(block.grid, axis=1), 2, rtol=1e-7)
    assert dataset.split("train").layout.shared_grid
    np.testing.assert_allclose(np.linalg.det(information(dataset)), 45.688, rtol=3e-5)
    assert_sound(dataset)


def test_ten_readings_of_a_moment(tmp_path: Path) -> None:
    """Each is the moment itself, with the derivative 1, outside of the sphere."""
    dataset = made(tmp_path / "data", "fisher-gaussian")
    block = block_of(dataset)
    assert not block.potential.any()
    derivatives = block.values("derivatives")
    assert derivatives.shape == (3, 10, 1)
    np.testing.assert_allclose(derivatives, 1, rtol=3e-7)
    assert (np.linalg.norm(block.grid, axis=1) > 0.1).all()
    assert len(np.unique(block.grid, axis=0)) == 10
    assert_sound(dataset)
    other = made(tmp_path / "other", "fisher-gaussian", "sources.moment.value=[0.0, 0.0, 0.5]")
    np.testing.assert_allclose(block_of(other).potential, 0.5, rtol=3e-7)


def assert_sound(dataset: Dataset) -> None:
    command = ["verify", str(dataset.directory), "--recompute", "1"]
    assert CliRunner().invoke(main, command).exit_code == 0
