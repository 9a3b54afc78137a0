"""Field that bodies feel from all others: that of dipoles, exact outside of discs and balls."""

import jax.numpy as jnp
from jaxtyping import Array, Float

from hypermagnetics.sources.kinds.dipole import dipole

Tables = Float[Array, "*shape sources columns"]
"""Source tables; columns behind those of a dataset may follow."""
Moments = Float[Array, "*shape sources dim"]
"""Moments of the rows of a table [A m²]; in two dimensions [A m]."""


def field_of_others(table: Tables, dim: int) -> Moments:
    """Field at the centre of each body of all others, without its own.

    H_i = sum over j != i of the field of a dipole m_j at r_i - r_j. Outside of a disc or a ball
    this is its field; its own is parallel to its moment, and turns nothing.

    Args:
        table: Rows of moment and position. Rows at one place, such as padding, have no field there.
        dim: Space dimension.

    Returns:
        H [A/m], in the float type of the table.
    """
    moments, positions = table[..., :dim], table[..., dim : 2 * dim]
    apart = positions[..., :, None, :] - positions[..., None, :, :]
    same = jnp.all(apart == 0, axis=-1)
    # Also away from the branch that is not taken, whose derivative would be NaN.
    apart = jnp.where(same[..., None], 1, apart)
    values = dipole(
        [moments[..., None, :, axis] for axis in range(dim)],
        [apart[..., axis] for axis in range(dim)],
    )
    each = [jnp.where(same, 0, component) for component in values.field]
    return jnp.stack([jnp.sum(component, axis=-1) for component in each], axis=-1)


def with_moments(table: Tables, moments: Moments) -> Tables:
    """The table with other moments."""
    return jnp.concatenate([moments, table[..., moments.shape[-1] :]], axis=-1)
