"""What a picture of one sample shows: values on a plane, outlines of bodies, and their moments."""

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float, Float64

from hypermagnetics.data import Block, Split
from hypermagnetics.pictures.outlines import bodies_in_plane
from hypermagnetics.shapes import BlockField, BlockPotential, Points, SourceTables
from hypermagnetics.sources import SourceColumns, block_superposition, body_size

_RESOLUTION = 128
_DIPOLE_SIZE = 0.05
"""Size a dipole is drawn with, in sides of the picture."""


@runtime_checkable
class DrawnModel(Protocol):
    """What a picture asks of a model."""

    def block(self, sources: SourceTables, points: Points) -> tuple[BlockPotential, BlockField]:
        """Potential [A] and field [A/m] of samples that share their points."""
        ...


@dataclass(frozen=True)
class Drawing:
    """A sample on a regular grid of a plane; arrays have shape (y, x), fields (y, x, 2)."""

    axes: tuple[np.ndarray, np.ndarray]
    """Coordinates x and y of the grid [m]."""
    height: float | None
    """The plane is z = height [m]; None in two dimensions."""
    outlines: tuple[np.ndarray, ...]
    """Polygons (corners, 2) around the bodies, or around what the plane cuts of them [m]."""
    arrows: Float64[np.ndarray, "bodies 2 2"]
    """Tail and head of the moment of each body in the plane [m]."""
    true_potential: np.ndarray
    true_field: np.ndarray
    potential: np.ndarray
    field: np.ndarray


def one_sample(split: Split, sample: int) -> Block:
    """A block that holds one sample of a split and nothing else.

    Args:
        split: The split.
        sample: Number of the sample.

    Returns:
        The block.
    """
    index, within = divmod(sample, split.layout.samples_per_grid)
    block = split.block(index)
    one = slice(within, within + 1)
    return Block(
        sources=block.sources[one],
        num_sources=block.num_sources[one],
        grid=block.grid,
        potential=block.potential[one],
        field=block.field[one],
    )


def draw_sample(model: DrawnModel, columns: SourceColumns, block: Block) -> Drawing:
    """Compute what a picture shows, on 128 x 128 points that cover the grid of the sample.

    In three dimensions they lie in the plane of constant z through the source nearest to the
    middle of all sources, if the grid reaches so far.

    Args:
        model: The model.
        columns: What the columns of the source table are.
        block: A block of one sample.

    Returns:
        The truth and the prediction.
    """
    sources = block.sources[0, : block.num_sources[0]]
    low, high = block.grid.min(axis=0), block.grid.max(axis=0)
    height = None
    if columns.dim == 3:
        height = float(np.clip(_middle(sources)[2], low[2], high[2]))
    # A grid without extent, as of a single point: show what is around it.
    margin = np.where(low == high, 2 * body_size(columns, sources).max() or 1.0, 0.0)
    low, high = low - margin, high + margin
    x, y = np.linspace(low[:2], high[:2], _RESOLUTION, dtype=np.float32).T
    points = np.stack(np.meshgrid(x, y), axis=-1).reshape(-1, 2)
    if height is not None:
        points = np.insert(points, 2, height, axis=1)
    true_potential, true_field = block_superposition(
        columns, jnp.asarray(block.sources), jnp.asarray(block.num_sources), jnp.asarray(points)
    )
    potential, field = _predict(model, jnp.asarray(block.sources), jnp.asarray(points))
    dipole_size = _DIPOLE_SIZE * float(x[-1] - x[0])
    outlines, arrows = bodies_in_plane(columns, sources, height, dipole_size)
    shape = (_RESOLUTION, _RESOLUTION)
    return Drawing(
        axes=(x, y),
        height=height,
        outlines=outlines,
        arrows=arrows,
        true_potential=np.asarray(true_potential).reshape(shape),
        true_field=np.asarray(true_field)[..., :2].reshape(*shape, 2),
        potential=np.asarray(potential).reshape(shape),
        field=np.asarray(field)[..., :2].reshape(*shape, 2),
    )


@eqx.filter_jit
def _predict(
    model: DrawnModel, sources: SourceTables, points: Points
) -> tuple[BlockPotential, BlockField]:
    return model.block(sources, points)


def _middle(sources: Float[np.ndarray, "sources columns"]) -> Float[np.ndarray, " dim"]:
    """The position of the source that is nearest to the mean of all, in three dimensions."""
    positions = sources[:, 3:6]
    away = np.linalg.norm(positions - positions.mean(axis=0), axis=1)
    found: np.ndarray = positions[np.argmin(away)]
    return found
