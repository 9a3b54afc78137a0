"""Bodies as dipoles, for a smooth kernel."""

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from hypermagnetics.models.inputs import ModelInputs
from hypermagnetics.shapes import SourceTable
from hypermagnetics.sources import SourceColumns
from hypermagnetics.sources.geometry import by_kind
from hypermagnetics.sources.kinds import KINDS
from hypermagnetics.table import SHAPES, SIZES, BodyName, source_rows


def num_dipoles(columns: SourceColumns, nodes: int) -> int:
    """Number of dipoles for each source: nodes^dim where there are boxes, else one."""
    return nodes**columns.dim if has_nodes(columns) else 1


def has_nodes(columns: SourceColumns) -> bool:
    """Whether any body is represented by nodes, not by a dipole in its centre."""
    return bool(bodies_of_nodes(columns))


def bodies_of_nodes(columns: SourceColumns) -> tuple[BodyName, ...]:
    """Bodies that are represented by nodes: those whose field is not that of a dipole outside."""
    return tuple(body for body in columns.bodies if not KINDS[body].is_dipole_outside)


def sizes_without_effect(columns: SourceColumns) -> tuple[str, ...]:
    """Size columns that only bodies have which are one dipole in the smooth part."""
    used = {name for body in bodies_of_nodes(columns) for name in SHAPES[body]}
    return tuple(name for name in columns.shape_names if name in SIZES and name not in used)


def smooth_dipoles(
    columns: SourceColumns, sources: SourceTable, nodes: int
) -> tuple[Float[Array, "sources dipoles dim"], Float[Array, "sources dipoles dim"]]:
    """Moments and positions of the dipoles that represent each source.

    A ball is one dipole in its centre, whatever its radius, by the shell theorem. A box is its
    Gauss-Legendre nodes: a kernel that is smooth over the spacing of the nodes is summed over them
    as it is integrated over the box. This is how a model that knows dipoles alone serves bodies of
    any kind, size and rotation.

    Args:
        columns: Columns of `sources`.
        sources: Source table; padding rows are zero.
        nodes: Nodes along each edge of a box.

    Returns:
        Moments [A m²], in two dimensions [A m], and positions [m].
    """
    dim = columns.dim
    moment, position = sources[:, None, :dim], sources[:, None, dim : 2 * dim]
    if num_dipoles(columns, nodes) == 1:
        return moment, position
    points, weights = np.polynomial.legendre.leggauss(nodes)
    places = np.stack(np.meshgrid(*[points] * dim, indexing="ij"), axis=-1).reshape(-1, dim)
    shares = np.prod(np.meshgrid(*[weights / 2] * dim, indexing="ij"), axis=0).ravel()
    offset = jnp.zeros((sources.shape[0], *places.shape), sources.dtype)
    for kind, is_kind, shape in by_kind(columns, sources, source_rows(columns, sources)):
        # A row without extent is a dipole, which needs no rotation.
        is_extended = is_kind & (kind.outer_radius(shape) > 0)
        held = {name: jnp.where(is_extended, value, 1) for name, value in shape.items()}
        found = kind.nodes(held, places)
        if found is not None:
            offset = jnp.where(is_extended[:, None, None], found, offset)
    return moment * jnp.asarray(shares, sources.dtype)[None, :, None], position + offset


def scaled_dipoles(
    inputs: ModelInputs, sources: SourceTable, nodes: int
) -> tuple[Float[Array, "dipoles dim"], Float[Array, "dipoles dim"]]:
    """Moments and positions of the dipoles of all sources, in units of the scales.

    Args:
        inputs: Columns and scales.
        sources: Source table; padding rows are zero.
        nodes: Nodes along each edge of a box.
    """
    moments, positions = smooth_dipoles(inputs.columns, sources, nodes)
    scales, dim = inputs.scales, inputs.dim
    return moments.reshape(-1, dim) / scales.moment, positions.reshape(-1, dim) / scales.length


def outer_radius(columns: SourceColumns, sources: SourceTable) -> Float[Array, " sources"]:
    """Radius of the ball around each body [m]; 0 for dipoles and padding rows."""
    found = jnp.zeros(sources.shape[0], sources.dtype)
    for kind, is_kind, shape in by_kind(columns, sources, source_rows(columns, sources)):
        found = jnp.where(is_kind, kind.outer_radius(shape), found)
    return found
