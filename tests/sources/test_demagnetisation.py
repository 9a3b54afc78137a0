"""The convolution of a raster: the closed form of every cell, added up."""

import jax.numpy as jnp
import numpy as np
import pytest

from hypermagnetics.grids import regular_grid
from hypermagnetics.metrics import measure, scores
from hypermagnetics.sources import SourceColumns, superposition
from hypermagnetics.sources.demagnetisation import RasterQuantity, cell_kernel, demagnetisation
from hypermagnetics.sources.raster import Raster, cell_means

CELLS = {
    2: ("rectangle", ("dimension_x", "dimension_y")),
    3: ("cuboid", ("dimension_x", "dimension_y", "dimension_z")),
}


@pytest.mark.slow
@pytest.mark.parametrize("sides", [(5, 4), (3, 4, 2)], ids=["2D", "3D"])
def test_the_convolution_is_the_sum_over_cells(sides: tuple[int, ...]) -> None:
    """Each a rectangle or a cuboid of the cell's size, by the exact sum."""
    dim, spacing = len(sides), 0.3
    raster = np.random.default_rng(0).normal(size=(2, dim, *sides))
    body, names = CELLS[dim]
    columns = SourceColumns.of(body, constants=dict.fromkeys(names, spacing))
    axes = [spacing * np.arange(side) for side in sides]
    points = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, dim)
    for sample in raster:
        moments = sample.reshape(dim, -1).T * spacing**dim
        table = np.concatenate([moments, points], axis=1)
        potential, field = superposition(columns, table, points)
        for quantity, wanted in (("potential", potential), ("field", field)):
            found = demagnetisation(sample[None], spacing, quantity)[0]
            rows = np.moveaxis(found.reshape(len(found), -1), 0, -1)
            values = np.asarray(wanted).reshape(rows.shape)
            np.testing.assert_allclose(rows, values, rtol=0, atol=1e-13 * np.abs(values).max())


@pytest.mark.slow
@pytest.mark.parametrize("dim", [2, 3])
def test_a_cell_has_the_demagnetising_factor_of_its_symmetry(dim: int) -> None:
    """1 / dim in its centre, and the trace of the field's kernel is 0 in all other cells."""
    kernel = cell_kernel((3,) * dim, 0.7, "field")
    own = kernel[(slice(None), slice(None), *(0,) * dim)]
    np.testing.assert_allclose(own, -np.eye(dim) / dim, atol=1e-14)
    trace = np.trace(kernel)
    trace[(0,) * dim] = 0
    assert np.abs(trace).max() < 1e-14


def packed(samples: int, radius: float) -> np.ndarray:
    """Four discs inside a square that do not overlap."""
    random, found = np.random.default_rng(0), np.zeros((samples, 4, 4), np.float32)
    found[..., :2] = random.normal(size=(samples, 4, 2))
    for table in found:
        placed: list[np.ndarray] = []
        while len(placed) < 4:
            place = random.uniform(-2.5, 2.5, 2)
            if all(np.hypot(*(place - other)) > 2 * radius for other in placed):
                placed.append(place)
        table[:, 2:] = placed
    return found


@pytest.mark.slow
@pytest.mark.parametrize(
    ("resolution", "median", "quantity"),
    [
        (64, 1e-3, "potential"),
        pytest.param(128, 3e-4, "potential", marks=pytest.mark.slow),
        (64, 2e-3, "field"),
    ],
)
def test_cell_means_have_the_potential_of_the_bodies(
    resolution: int, median: float, quantity: RasterQuantity
) -> None:
    """Discs of radius 0.5 inside a square of 6: the error of the raster, in the median."""
    columns, spacing = SourceColumns.of("disc", constants={"radius": 0.5}), 6 / (resolution - 1)
    sources = packed(40, 0.5)
    raster = Raster((resolution,) * 2, spacing, 8, reach=0.5)
    means = np.asarray(cell_means(columns, raster, jnp.asarray(sources), jnp.full(2, -3.0)))
    found = demagnetisation(means, spacing, quantity).reshape(len(sources), -1, resolution**2)
    points = np.asarray(regular_grid(3.0, resolution, 2))
    both = [superposition(columns, table, points) for table in sources]
    wanted = np.stack([np.asarray(one[quantity == "field"]) for one in both])
    rows = found[:, 0] if quantity == "potential" else np.moveaxis(found, 1, 2)
    assert scores(measure(rows, wanted)).median_relative_error < median
