"""The raster of the magnetisation: means over cells, of each body in a window of its own."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from hypermagnetics.sources import SourceColumns, magnetisation
from hypermagnetics.sources.raster import Raster, cell_means

DISCS = SourceColumns.of("disc", varying=["radius"])
MIXED = SourceColumns.of(
    "disc", "rectangle", varying=["radius", "dimension_x", "dimension_y", "angle"]
)
CUBOIDS = SourceColumns.of(
    "cuboid",
    constants={"dimension_x": 0.7, "dimension_y": 0.5, "dimension_z": 0.9},
    varying=["rotation_w", "rotation_x", "rotation_y", "rotation_z"],
)


def tables(columns: SourceColumns, samples: int = 3, rows: int = 3) -> np.ndarray:
    """Bodies in and across a box of [-1, 1], with rows of padding."""
    random = np.random.default_rng(1)
    found = np.zeros((samples, rows, columns.size))
    found[..., : columns.dim] = random.normal(size=(samples, rows, columns.dim))
    found[..., columns.dim : 2 * columns.dim] = random.uniform(-1, 1, (samples, rows, columns.dim))
    for name in columns.names[2 * columns.dim :]:
        found[..., columns.index(name)] = random.uniform(0.2, 0.5, (samples, rows))
    if columns.has("body"):
        found[..., columns.index("body")] = random.choice(columns.codes, (samples, rows))
    if columns.has("rotation_w"):
        first = columns.index("rotation_w")
        four = random.normal(size=(samples, rows, 4))
        found[..., first : first + 4] = four / np.linalg.norm(four, axis=-1, keepdims=True)
    found[0, -1] = 0
    return found


def brute(columns: SourceColumns, raster: Raster, sources: np.ndarray, first: float) -> np.ndarray:
    """Means of the magnetisation over all subpoints of all cells."""
    within = ((np.arange(raster.subpoints) + 0.5) / raster.subpoints - 0.5) * raster.spacing
    axes = [
        (first + raster.spacing * np.arange(side)[:, None] + within).ravel()
        for side in raster.sides
    ]
    points = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, columns.dim)
    found = []
    for table in sources:
        values = np.asarray(magnetisation(columns, table, points)).T
        parts = [n for side in raster.sides for n in (side, raster.subpoints)]
        cells = values.reshape(columns.dim, *parts)
        found.append(cells.mean(axis=tuple(range(2, 2 + 2 * columns.dim, 2))))
    return np.stack(found)


@pytest.mark.slow_cases
@pytest.mark.parametrize(
    ("columns", "sides", "subpoints"),
    [(DISCS, (17, 12), 4), (MIXED, (13, 13), 3), (MIXED, (3, 3), 5), (CUBOIDS, (7, 6, 9), 2)],
    ids=["discs", "mixed", "few-cells", "cuboids"],
)
def test_a_window_around_each_body_is_enough(
    columns: SourceColumns, sides: tuple[int, ...], subpoints: int
) -> None:
    """As the magnetisation at every subpoint of every cell has it."""
    spacing = 2.0 / (sides[0] - 1)
    raster = Raster(sides, spacing, subpoints, reach=0.8)
    sources = tables(columns)
    found = jax.jit(lambda table, at: cell_means(columns, raster, table, at))(
        jnp.asarray(sources), jnp.full(columns.dim, -1.0)
    )
    wanted = brute(columns, raster, sources, -1.0)
    assert found.shape == wanted.shape
    np.testing.assert_allclose(found, wanted, rtol=0, atol=1e-12 * np.abs(wanted).max())
    assert np.abs(wanted).max() > 0.1


def test_the_raster_keeps_the_moments_of_bodies_inside() -> None:
    """The sum over the cells times their area, but for the subpoints of the surface."""
    sources = tables(DISCS)
    sources[..., 2:4] *= 0.4
    raster = Raster((41, 41), 2 / 40, 8, reach=0.5)
    found = np.asarray(cell_means(DISCS, raster, jnp.asarray(sources), jnp.full(2, -1.0)))
    moment = found.sum(axis=(2, 3)) * raster.spacing**2
    np.testing.assert_allclose(moment, sources[..., :2].sum(axis=1), rtol=0, atol=0.02)
