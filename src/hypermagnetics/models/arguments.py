"""What a model is given, checked."""

import jax.numpy as jnp

from hypermagnetics.errors import SourceError
from hypermagnetics.models.ranges import warn_out_of_range
from hypermagnetics.models.reader import Reader
from hypermagnetics.shapes import Points, SourceTable


def checked_arguments(
    model: Reader, sources: SourceTable, points: Points
) -> tuple[SourceTable, Points]:
    """Arrays of the right shape; a warning if values are known to be out of range.

    Args:
        model: What they are meant for.
        sources: Source table.
        points: Points of evaluation [m].

    Returns:
        The two as arrays of JAX.

    Raises:
        SourceError: If one has another number of columns than the model reads.
    """
    sources, points = jnp.asarray(sources), jnp.asarray(points)
    if sources.ndim != 2 or sources.shape[1] != model.source_size:
        names = ", ".join(model.source_columns) or "moment, position, sizes"
        raise SourceError(
            f"A source table must have {model.source_size} columns ({names}); got an array of "
            f"shape {sources.shape}. Give one row for each source."
        )
    if points.ndim != 2 or points.shape[1] != model.dim:
        raise SourceError(
            f"Points must be an array of (points, {model.dim}); got one of shape {points.shape}. "
            "Give one row for each point."
        )
    warn_out_of_range(model.inputs, model.limited_columns, sources, points)
    return sources, points
