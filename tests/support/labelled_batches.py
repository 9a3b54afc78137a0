"""Batches of random magnets of every kind with their exact labels, in float64."""

from functools import cache

import jax.numpy as jnp
import numpy as np
from magnets import KINDS, random_rows

from hypermagnetics.models import ModelInputs
from hypermagnetics.sources import BODIES, SourceColumns, block_superposition
from hypermagnetics.table import SHAPES
from hypermagnetics.train.devices import DeviceBatch

_BOXES_2D = ("radius", "dimension_x", "dimension_y", "angle")
_BOXES_3D = ("radius", "dimension_x", "dimension_y", "dimension_z", *SHAPES["cuboid"][3:])
TABLES = KINDS | {
    "mixed in 2D": SourceColumns.of("disc", "rectangle", "dipole", dim=2, varying=_BOXES_2D),
    "mixed in 3D": SourceColumns.of("sphere", "cuboid", "dipole", dim=3, varying=_BOXES_3D),
}
"""Columns of each kind of magnet alone, and of all kinds in one table."""

COUNTS = np.array([[3, 1, 0], [2, 3, 3]])
"""Sources of each sample, of tables of three rows; the last sample of the first block is none."""

POINTS = 12


def random_sources(columns: SourceColumns, random: np.random.Generator) -> np.ndarray:
    """Source tables, padded with zeros; what the body of a row has no use for is zero too."""
    blocks, samples = COUNTS.shape
    rows = random_rows(columns, random, blocks * samples * 3)
    bodies = random.choice(len(columns.bodies), len(rows))
    if columns.has("body"):
        rows[:, columns.index("body")] = [BODIES.index(columns.bodies[i]) for i in bodies]
        for i, name in enumerate(columns.names[2 * columns.dim : -1], 2 * columns.dim):
            has_use = np.array([name in SHAPES[columns.bodies[body]] for body in bodies])
            rows[:, i] *= has_use
    tables = rows.reshape(blocks, samples, 3, -1)
    return tables * (np.arange(3) < COUNTS[..., None])[..., None]


def labelled(
    columns: SourceColumns, sources: jnp.ndarray, grid: jnp.ndarray
) -> tuple[jnp.ndarray, jnp.ndarray]:
    """Exact potential and field of each block."""
    blocks = [
        block_superposition(columns, tables, jnp.asarray(counts), points)
        for tables, counts, points in zip(sources, COUNTS, grid, strict=True)
    ]
    return jnp.stack([phi for phi, _ in blocks]), jnp.stack([h for _, h in blocks])


@cache
def labelled_batch(kind: str) -> DeviceBatch:
    """Two blocks of three samples, with sources inside and outside of which there are points."""
    columns, random = TABLES[kind], np.random.default_rng(17)
    sources = jnp.asarray(random_sources(columns, random))
    grid = jnp.asarray(random.normal(size=(len(COUNTS), POINTS, columns.dim)))
    num_samples = jnp.asarray([2, 3], jnp.int32)
    return DeviceBatch(sources, num_samples, grid, *labelled(columns, sources, grid))


def inputs_of_columns(columns: SourceColumns) -> ModelInputs:
    """What a model of these sources reads."""
    return ModelInputs(columns=columns)
