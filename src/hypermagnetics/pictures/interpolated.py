"""Picture of one sample from its own points, for predictions at these alone."""

import numpy as np
from jaxtyping import Float

from hypermagnetics.data import Block
from hypermagnetics.errors import SourceError
from hypermagnetics.pictures.drawing import DIPOLE_SIZE, RESOLUTION, Drawing, extent
from hypermagnetics.pictures.outlines import bodies_in_plane
from hypermagnetics.sources import SourceColumns


def draw_points(
    potential: Float[np.ndarray, "1 points"],
    field: Float[np.ndarray, "1 points 2"],
    columns: SourceColumns,
    block: Block,
    *,
    resolution: int = RESOLUTION,
) -> Drawing:
    """Draw labels and predictions in two dimensions, linear between the points of the sample.

    Args:
        potential: Predicted at the points of the sample [A].
        field: Predicted there [A/m].
        columns: Columns of the source table.
        block: A block of one sample.
        resolution: Points of the picture along each side.

    Returns:
        The truth and the prediction; NaN outside the convex hull of the points.

    Raises:
        SourceError: If the points are fewer than four or lie on a line, so that nothing is between
            them.
    """
    grid = block.grid.astype(np.float64)
    if len(grid) < 4 or np.linalg.matrix_rank(grid - grid.mean(axis=0), tol=1e-6) < 2:
        raise SourceError(
            f"The points of a sample must be four or more and not on one line; got {len(grid)} "
            "(a picture of predictions from a file). Give the model itself to see a picture."
        )
    from scipy.interpolate import LinearNDInterpolator  # with optimisation

    sources = block.sources[0, : block.num_sources[0]]
    low, high = extent(columns, block)
    right, up = np.linspace(low, high, resolution, dtype=np.float32).T
    values = np.concatenate(
        [block.potential.T, block.field[0], potential.T, field[0]], axis=1, dtype=np.float64
    )
    filled = LinearNDInterpolator(grid, values)(*np.meshgrid(right, up))
    dipole_size = DIPOLE_SIZE * float(right[-1] - right[0])
    outlines, arrows = bodies_in_plane(columns, sources, None, dipole_size)
    return Drawing(
        axes=(right, up),
        across=2,
        height=None,
        outlines=outlines,
        arrows=arrows,
        true_potential=filled[..., 0],
        true_vectors=filled[..., 1:3],
        potential=filled[..., 3],
        vectors=filled[..., 4:6],
    )
