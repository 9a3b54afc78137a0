"""Contents of a picture of one sample: values on a plane, outlines of bodies, and moments."""

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float, Float64

from hypermagnetics.data import Block, Split
from hypermagnetics.pictures.outlines import bodies_in_plane
from hypermagnetics.shapes import BlockField, BlockPotential, Points, SourceTables
from hypermagnetics.sources import SourceColumns, body_size, solve_magnetisation
from hypermagnetics.sources.superposition import block_sum
from hypermagnetics.table import applied_field, hard_table, susceptibility

RESOLUTION = 128
CELLS_OF_TRUTH = {2: 16, 3: 6}
"""Cells along each side of a soft box in the solve that is drawn as the truth, by dimension: those
of the shipped recipes."""
DIPOLE_SIZE = 0.05
"""Size of a drawn dipole, in sides of the picture."""


@runtime_checkable
class DrawnModel(Protocol):
    """Interface of a model that can be drawn."""

    def block(self, sources: SourceTables, points: Points) -> tuple[BlockPotential, BlockField]:
        """Potential [A] and field [A/m] of samples that share their points."""
        ...


@dataclass(frozen=True)
class Drawing:
    """A sample on a regular grid of a plane; arrays have shape (down, right), vectors one more."""

    axes: tuple[np.ndarray, np.ndarray]
    """Coordinates of the grid to the right and upwards [m]: x and y by default."""
    across: int
    """Index of the coordinate that is constant in the plane, 2 for z."""
    height: float | None
    """Value of this coordinate [m]; None in two dimensions."""
    outlines: tuple[np.ndarray, ...]
    """Polygons (corners, 2) around the bodies, or around their cuts by the plane [m]."""
    arrows: Float64[np.ndarray, "bodies 2 2"]
    """Tail and head of the moment of each body in the plane [m]."""
    true_potential: np.ndarray
    true_vectors: np.ndarray
    """H with all its components [A/m]."""
    potential: np.ndarray
    vectors: np.ndarray

    @property
    def true_field(self) -> np.ndarray:
        """The components of the true H in the plane, (down, right, 2) [A/m]."""
        return self.true_vectors[..., in_plane(self.true_vectors.shape[-1], self.across)]

    @property
    def field(self) -> np.ndarray:
        """The components of the predicted H in the plane, (down, right, 2) [A/m]."""
        return self.vectors[..., in_plane(self.vectors.shape[-1], self.across)]


def in_plane(dim: int, across: int) -> list[int]:
    """The two coordinates along a plane: to the right, and upwards."""
    return [axis for axis in range(dim) if axis != across]


def one_sample(split: Split, sample: int) -> Block:
    """Block with a single sample of a split.

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


@dataclass(frozen=True)
class Plane:
    """Regular points of a plane."""

    axes: tuple[np.ndarray, np.ndarray]
    """Coordinates to the right and upwards [m]."""
    across: int
    height: float | None
    """Height as in `Drawing`."""
    points: Float[np.ndarray, "points dim"]
    """Points [m]."""


def draw_sample(model: DrawnModel, columns: SourceColumns, block: Block) -> Drawing:
    """Drawing of a sample and a JAX model, in the plane of constant z.

    Args:
        model: The model.
        columns: Columns of the source table.
        block: A block of one sample.

    Returns:
        The truth and the prediction.
    """
    plane = plane_of(columns, block, *extent(columns, block))
    potential, field = _predict(model, jnp.asarray(block.sources), jnp.asarray(plane.points))
    return draw_plane(plane, columns, block, np.asarray(potential), np.asarray(field))


def plane_of(
    columns: SourceColumns,
    block: Block,
    low: Float[np.ndarray, " dim"],
    high: Float[np.ndarray, " dim"],
    *,
    across: int = 2,
    resolution: int = RESOLUTION,
) -> Plane:
    """Plane of the picture of a sample.

    In three dimensions it goes through the source nearest to the middle of all sources, if the grid
    reaches so far.

    Args:
        columns: Columns of the source table.
        block: A block of one sample.
        low: Lowest coordinates [m].
        high: Highest coordinates [m].
        across: The coordinate that is the same everywhere in the plane; in two dimensions 2.
        resolution: Points along each side.

    Returns:
        The plane.
    """
    along = in_plane(columns.dim, across)
    right, up = np.linspace(low[along], high[along], resolution, dtype=np.float32).T
    points = np.stack(np.meshgrid(right, up), axis=-1).reshape(-1, 2)
    if columns.dim == 2:
        return Plane((right, up), across, None, points)
    middle = _middle(block.sources[0, : block.num_sources[0]])[across]
    reach = block.grid[:, across]
    height = float(np.clip(middle, reach.min(), reach.max()))
    return Plane((right, up), across, height, np.insert(points, across, height, axis=1))


def draw_plane(
    plane: Plane,
    columns: SourceColumns,
    block: Block,
    potential: Float[np.ndarray, "1 points"],
    field: Float[np.ndarray, "1 points dim"],
) -> Drawing:
    """Drawing of a sample in a plane, with predictions at the points of the plane.

    Args:
        plane: The plane.
        columns: Columns of the source table.
        block: A block of one sample.
        potential: Predicted [A].
        field: Predicted [A/m].

    Returns:
        The truth, of soft bodies by a solve of `CELLS_OF_TRUTH`, and the prediction.
    """
    sources = block.sources[0, : block.num_sources[0]]
    moments, true_potential, true_field = _true_values(columns, block, plane.points)
    right, up = plane.axes
    dipole_size = DIPOLE_SIZE * float(right[-1] - right[0])
    drawn = np.concatenate([moments, hard_table(columns, sources)[:, columns.dim :]], axis=1)
    outlines, arrows = bodies_in_plane(columns.hard, drawn, plane.height, dipole_size, plane.across)
    shape = (len(up), len(right))
    return Drawing(
        axes=plane.axes,
        across=plane.across,
        height=plane.height,
        outlines=outlines,
        arrows=arrows,
        true_potential=true_potential.reshape(shape),
        true_vectors=true_field.reshape(*shape, -1),
        potential=potential.reshape(shape),
        vectors=field.reshape(*shape, -1),
    )


def _true_values(
    columns: SourceColumns, block: Block, points: Float[np.ndarray, "points dim"]
) -> tuple[Float[np.ndarray, "bodies dim"], np.ndarray, np.ndarray]:
    """Moments, and true potential and field of a block of one sample.

    Of soft bodies, by a solve: all moments, remanent and induced.
    """
    sources = block.sources[0, : block.num_sources[0]]
    if columns.is_soft:
        found = solve_magnetisation(
            columns.hard,
            hard_table(columns, sources),
            susceptibility(columns, sources),
            applied_field(columns, sources),
            cells=CELLS_OF_TRUTH[columns.dim],
        )
        values = (found.moments, *found.potential_and_field(points))
        moments, potential, field = map(np.asarray, values)
        return moments, potential, field
    tables = (equally_long(block.sources), block.num_sources, points)
    potential, field = map(np.asarray, block_sum(columns, *map(jnp.asarray, tables)))
    return sources[:, : columns.dim], potential[0], field[0]


def equally_long(
    sources: Float[np.ndarray, "samples sources columns"],
) -> Float[np.ndarray, "samples rows columns"]:
    """Pad tables to 4, 16, 64 ... rows, which limits the number of compiled programs."""
    rows = 4
    while rows < sources.shape[1]:
        rows *= 4
    return np.pad(sources, ((0, 0), (0, rows - sources.shape[1]), (0, 0)))


def extent(
    columns: SourceColumns, block: Block
) -> tuple[Float[np.ndarray, " dim"], Float[np.ndarray, " dim"]]:
    """Lowest and highest coordinates of the picture of a sample [m]."""
    sources = block.sources[0, : block.num_sources[0]]
    low, high = block.grid.min(axis=0), block.grid.max(axis=0)
    # A grid without extent, as of a single point: show what is around it.
    margin = np.where(low == high, 2 * body_size(columns, sources).max() or 1.0, 0.0)
    return low - margin, high + margin


@eqx.filter_jit
def _predict(
    model: DrawnModel, sources: SourceTables, points: Points
) -> tuple[BlockPotential, BlockField]:
    return model.block(sources, points)


def _middle(sources: Float[np.ndarray, "sources columns"]) -> Float[np.ndarray, " dim"]:
    """Position of the source nearest to the mean of all, in three dimensions."""
    positions = sources[:, 3:6]
    away = np.linalg.norm(positions - positions.mean(axis=0), axis=1)
    found: np.ndarray = positions[np.argmin(away)]
    return found
