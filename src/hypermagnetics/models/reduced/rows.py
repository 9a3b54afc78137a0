"""The rows of a source table as soft boxes, and the gaps between bodies."""

import functools
import itertools
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float

from hypermagnetics.models.reduced.system import Boxes
from hypermagnetics.shapes import SourceTable
from hypermagnetics.sources.geometry import by_kind
from hypermagnetics.sources.kinds.box import BoxKind
from hypermagnetics.table import (
    QUATERNION,
    SIZES,
    SourceColumns,
    hard_table,
    source_rows,
    susceptibility,
)

_PARALLEL = 1e-3
"""Least length of the product of two unit vectors that is an axis of its own."""


class SoftRows(NamedTuple):
    """A source table as soft boxes."""

    boxes: Boxes
    unit: Float[Array, ""]
    """Length of 1, the longest side of all soft boxes [m]."""
    remanence: Float[Array, "rows dim"]
    """Remanent magnetisation of the soft boxes [A/m]; 0 in other rows."""
    is_soft: Bool[Array, " rows"]
    """Whether a row is a soft body of any kind."""
    mismatch: Float[Array, " rows"]
    """Largest difference of the sides, over the longest, from those of the nearest aspect."""


def soft_rows(
    columns: SourceColumns, aspects: Float[Array, "aspects dim"], sources: SourceTable
) -> SoftRows:
    """Read soft boxes.

    Args:
        columns: Columns of `sources`.
        aspects: Sides of the aspects, the longest 1.
        sources: Source table.
    """
    dim, chi = columns.dim, susceptibility(columns, sources)
    is_soft = source_rows(columns, sources) & (chi != 0)
    is_box, sides, axes = _boxes(columns, sources, is_soft)
    longest = jnp.max(sides, axis=-1)
    unit = jnp.max(jnp.where(is_box, longest, 0))
    unit = jax.lax.stop_gradient(jnp.where(unit > 0, unit, 1))
    shares = sides / longest[:, None]
    difference = jnp.max(jnp.abs(shares[:, None] - aspects[None]), axis=-1)
    moment = jnp.where(is_box[:, None], sources[:, :dim], 0)
    # One side after the other, as the volume may leave the float type.
    remanence = functools.reduce(jnp.divide, jnp.moveaxis(sides[..., None], 1, 0), moment)
    boxes = Boxes(
        is_soft=is_box,
        aspect=jnp.argmin(difference, axis=-1),
        centre=sources[:, dim : 2 * dim] / unit,
        axes=axes,
        side=longest / unit,
        susceptibility=chi,
    )
    return SoftRows(boxes, unit, remanence, is_soft, jnp.min(difference, axis=-1))


def magnets_of(columns: SourceColumns, sources: SourceTable) -> Float[Array, "rows hard_columns"]:
    """The hard rows in the columns `columns.hard`; all others as magnets of no moment.

    Those have sizes of 1, as a body without extent is none.
    """
    is_hard = source_rows(columns, sources) & (susceptibility(columns, sources) == 0)
    ones = (*SIZES, QUATERNION[0])
    neutral = [float(name in ones) for name in columns.hard.names]
    if columns.has("body"):
        neutral[columns.hard.index("body")] = float(columns.codes[0])
    rows = hard_table(columns, sources)
    found: Array = jnp.where(is_hard[:, None], rows, jnp.asarray([neutral], rows.dtype))
    return found


def smallest_gaps(columns: SourceColumns, sources: SourceTable) -> Float[Array, " rows"]:
    """Distance of each box from the nearest other body [m], or a lower bound of it.

    Two boxes are at least as far apart as their shadows on any line: on the normals of faces of
    both, and in space on those of all pairs of edges. Any other body is taken as the ball around
    it.

    Args:
        columns: Columns of `sources`.
        sources: Source table; padding is far from everything.

    Returns:
        Distances; negative where bodies overlap, infinite of rows that are no box.
    """
    dim, is_source = columns.dim, source_rows(columns, sources)
    is_box, sides, axes = _boxes(columns, sources, is_source)
    radius = jnp.zeros(len(sources), sources.dtype)
    for kind, is_kind, shape in by_kind(columns, sources, is_source):
        radius = jnp.where(is_kind, kind.outer_radius(shape), radius)
    centre, number = sources[:, dim : 2 * dim], jnp.arange(len(sources))

    def between(i: Array, j: Array) -> Float[Array, ""]:
        offset = centre[j] - centre[i]
        place = jnp.abs(axes[i] @ offset) - sides[i] / 2
        outside = jnp.sum(jnp.maximum(place, 0) ** 2)
        # The root of 0 has no derivative.
        distance = jnp.sqrt(jnp.where(outside > 0, outside, 1))
        to_centre = jnp.where(outside > 0, distance, jnp.max(place))
        found = jnp.where(
            is_box[j],
            _separation(offset, axes[i], sides[i], axes[j], sides[j]),
            to_centre - radius[j],
        )
        return jnp.where((i != j) & is_box[i] & is_source[j], found, jnp.inf)

    every = jax.vmap(lambda i: jax.vmap(lambda j: between(i, j))(number))(number)
    found: Array = jnp.min(every, axis=1)
    return found


def _separation(
    offset: Float[Array, " dim"],
    axes: Float[Array, "dim dim"],
    sides: Float[Array, " dim"],
    other_axes: Float[Array, "dim dim"],
    other_sides: Float[Array, " dim"],
) -> Float[Array, ""]:
    """Largest distance between the shadows of two boxes."""
    normals = [*axes, *other_axes]
    if len(offset) == 3:
        for one, other in itertools.product(axes, other_axes):
            across = jnp.cross(one, other)
            length2 = jnp.sum(across**2)
            is_axis = length2 > _PARALLEL**2
            # Parallel edges have no normal of their own; that of a face stands for it.
            unit = across / jnp.sqrt(jnp.where(is_axis, length2, 1))
            normals.append(jnp.where(is_axis, unit, one))
    normal = jnp.stack(normals)
    half = jnp.abs(normal @ axes.T) @ sides / 2
    other_half = jnp.abs(normal @ other_axes.T) @ other_sides / 2
    return jnp.max(jnp.abs(normal @ offset) - half - other_half)


def _boxes(
    columns: SourceColumns, sources: SourceTable, is_wanted: Bool[Array, " rows"]
) -> tuple[Bool[Array, " rows"], Float[Array, "rows dim"], Float[Array, "rows dim dim"]]:
    """Mask of the boxes among some rows, their sides [m] and the unit vectors along their edges."""
    dim, rows = columns.dim, len(sources)
    is_box = jnp.zeros(rows, bool)
    sides = jnp.ones((rows, dim), sources.dtype)
    axes = jnp.broadcast_to(jnp.eye(dim, dtype=sources.dtype), (rows, dim, dim))
    for kind, is_kind, shape in by_kind(columns, sources, is_wanted):
        if isinstance(kind, BoxKind):
            own = [jnp.broadcast_to(side, rows) for side in kind.sides(shape)]
            edges = [
                jnp.stack([jnp.broadcast_to(part, rows) for part in edge], axis=-1)
                for edge in kind.axes(shape)
            ]
            is_box = is_box | is_kind
            sides = jnp.where(is_kind[:, None], jnp.stack(own, axis=-1), sides)
            axes = jnp.where(is_kind[:, None, None], jnp.stack(edges, axis=-2), axes)
    return is_box, sides, axes


def sizes_in_words(columns: SourceColumns, row: np.ndarray) -> str:
    """Sizes of a row, as far as they have columns, for messages."""
    sizes = [name for name in SIZES if columns.has(name)]
    return ", ".join(f"{name} {row[columns.index(name)]:g}" for name in sizes)
