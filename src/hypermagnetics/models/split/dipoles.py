"""Bodies as dipoles: what a smooth kernel sees of them."""

from typing import assert_never

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float

from hypermagnetics.shapes import SourceTable
from hypermagnetics.sources import BODIES, SourceColumns
from hypermagnetics.sources.box import Axes, axes_of_angle, axes_of_quaternion
from hypermagnetics.table import QUATERNION, Form, form_of, source_rows

_SIDES = ("dimension_x", "dimension_y", "dimension_z")


def num_dipoles(columns: SourceColumns, nodes: int) -> int:
    """Dipoles that stand for each source: nodes^dim where there are boxes, else one."""
    return nodes**columns.dim if has_nodes(columns) else 1


def has_nodes(columns: SourceColumns) -> bool:
    """Whether nodes, not a dipole in its centre, stand for one of the bodies."""
    return any(_has_nodes(form_of(body)) for body in columns.bodies)


def _has_nodes(form: Form) -> bool:
    match form:
        case "point" | "ball":
            return False
        case "box":
            return True
        case _:
            assert_never(form)


def smooth_dipoles(
    columns: SourceColumns, sources: SourceTable, nodes: int
) -> tuple[Float[Array, "sources dipoles dim"], Float[Array, "sources dipoles dim"]]:
    """Moments and positions of the dipoles that stand for each source.

    A ball is one dipole in its centre, whatever its radius, by the shell theorem. A box is its
    Gauss-Legendre nodes: a kernel that is smooth over the spacing of the nodes is summed over them
    as it is integrated over the box. This is how a model that knows dipoles alone serves bodies of
    any kind, size and rotation.

    Args:
        columns: What the columns of `sources` are.
        sources: Source table; padding rows are zero.
        nodes: Nodes along each edge of a box.

    Returns:
        Moments [A m²], in two dimensions [A m], and positions [m].
    """
    dim, count = columns.dim, num_dipoles(columns, nodes)
    moment, position = sources[:, None, :dim], sources[:, None, dim : 2 * dim]
    if count == 1:
        return moment, position
    points, weights = np.polynomial.legendre.leggauss(nodes)
    axes = np.meshgrid(*[points] * dim, indexing="ij")
    shares = np.prod(np.meshgrid(*[weights / 2] * dim, indexing="ij"), axis=0).ravel()
    half = half_sides(columns, sources)
    offset = jnp.zeros((sources.shape[0], count, dim), sources.dtype)
    for edge, along in enumerate(_edges(columns, sources)):
        steps = half[:, edge, None] * jnp.asarray(axes[edge].ravel(), sources.dtype)[None]
        direction = jnp.stack([jnp.broadcast_to(a, sources.shape[0]) for a in along], axis=-1)
        offset += steps[..., None] * direction[:, None]
    return moment * jnp.asarray(shares, sources.dtype)[None, :, None], position + offset


def half_sides(columns: SourceColumns, sources: SourceTable) -> Float[Array, "sources dim"]:
    """Half sides of boxes [m]; zero for other bodies and for padding rows."""
    sides = [column(columns, sources, name) for name in _SIDES[: columns.dim]]
    is_box = has_form(columns, sources, "box")[:, None]
    return jnp.where(is_box, 0.5 * jnp.stack(sides, axis=-1), 0)


def outer_radius(columns: SourceColumns, sources: SourceTable) -> Float[Array, " sources"]:
    """Radius of the ball around each body [m]; 0 for dipoles and padding rows."""
    found = jnp.zeros(sources.shape[0], sources.dtype)
    for form in sorted({form_of(body) for body in columns.bodies}):
        match form:
            case "point":
                continue
            case "ball":
                radius = column(columns, sources, "radius")
            case "box":
                radius = jnp.linalg.norm(half_sides(columns, sources), axis=-1)
            case _:
                assert_never(form)
        found = jnp.where(has_form(columns, sources, form), radius, found)
    return found


def column(columns: SourceColumns, sources: SourceTable, name: str) -> Float[Array, " sources"]:
    """A size or a rotation of each row, whether it has a column or is shared by all."""
    if columns.has(name):
        return sources[:, columns.index(name)]
    return jnp.full(sources.shape[0], columns.constant(name), sources.dtype)


def has_form(columns: SourceColumns, sources: SourceTable, form: Form) -> Bool[Array, " sources"]:
    """Whether each row is a body of this form, and no padding."""
    is_source: Bool[Array, ...] = source_rows(sources, columns.dim)
    if not columns.has("body"):
        return is_source & (form_of(columns.bodies[0]) == form)
    codes = sources[:, columns.index("body")]
    of_form = [codes == BODIES.index(body) for body in BODIES if form_of(body) == form]
    return is_source & jnp.any(jnp.stack(of_form), axis=0)


def _edges(columns: SourceColumns, sources: SourceTable) -> Axes:
    """Unit vectors along the edges; any for bodies that have none."""
    if columns.dim == 2:
        return axes_of_angle(column(columns, sources, "angle"))
    quaternion = jnp.stack([column(columns, sources, name) for name in QUATERNION])
    # A padding row, or a sphere, has none: the first component makes it one.
    is_none = jnp.all(quaternion == 0, axis=0)
    return axes_of_quaternion([quaternion[0] + is_none.astype(sources.dtype), *quaternion[1:]])
