"""Conversion between network values and physical values: exact, and part of the model."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from hypermagnetics.models.inputs import ModelInputs
from hypermagnetics.shapes import SourceTable
from hypermagnetics.table import applied_field, applied_names, source_rows

_BENT = 12.0
"""Limit of |u| for sinh; sinh(12) is 81377, above any potential in units of the scale."""


def in_own_unit(inputs: ModelInputs, sources: SourceTable) -> tuple[SourceTable, Float[Array, ""]]:
    """Express the moments of a configuration in the unit read by the network.

    With `moment = "sample"` that unit is the configuration's own root mean square,

        unit = sqrt(sum_s |m_s|² / (dim n)) / scales.moment,

    over the n rows whose moment is not zero, so padding does not count. Where there are none, the
    unit is 0: such a configuration has no potential. Otherwise the unit is 1.

    Linear soft bodies answer in proportion to all moments and applied fields together, so both are
    divided by it. There the sum is over m_s and L^dim H_s of the n rows that are sources, with the
    applied field H_s and the scale L of the lengths.

    Args:
        inputs: Inputs of the model.
        sources: A whole source table; a part of it has another unit.

    Returns:
        The table with moments and applied fields divided by the unit, and the unit, a number.
    """
    if inputs.moment == "dataset":
        return sources, jnp.ones((), sources.dtype)
    moments, columns = sources[:, : inputs.dim], inputs.columns
    causes = moments
    if columns.is_soft:
        applied = applied_field(columns, sources) * inputs.scales.length**inputs.dim
        causes = jnp.concatenate([moments, applied], axis=-1)
    # Squares of the numbers as they are might underflow or overflow. The unit does not depend on
    # the peak, so neither does its gradient.
    peak = jax.lax.stop_gradient(jnp.max(jnp.abs(causes), initial=0))
    is_some = peak > 0
    safe = jnp.where(is_some, peak, 1)
    count = jnp.sum(source_rows(columns, sources), dtype=sources.dtype) * inputs.dim
    square = jnp.where(is_some, jnp.sum((causes / safe) ** 2) / jnp.maximum(count, 1), 1)
    unit = safe * jnp.sqrt(square) / inputs.scales.moment
    table = sources.at[:, : inputs.dim].set(moments / unit)
    for name in applied_names(columns):
        column = columns.index(name)
        table = table.at[:, column].set(sources[:, column] / unit)
    return table, jnp.where(is_some, unit, 0)


def physical(
    inputs: ModelInputs,
    unit: Float[Array, "*samples"],
    potential: Float[Array, "*samples points"],
    field: Float[Array, "*samples points dim"],
) -> tuple[Float[Array, "*samples points"], Float[Array, "*samples points dim"]]:
    """Undo the normalisation of the values of `Model.evaluate`.

    With `values = "asinh"`, a value u = potential / scale stands for the potential scale * sinh(u),
    so the field -grad of that is cosh(u) times the given one. Beyond |u| = 12 the potential goes on
    along the tangent, so that no network, however far from trained, makes it overflow. Both are
    multiplied by the unit.

    Args:
        inputs: Inputs of the model.
        unit: Of each configuration; see `in_own_unit`.
        potential: scale * u [A].
        field: Its negative gradient [A/m].

    Returns:
        Potential [A] and field [A/m].
    """
    if inputs.values == "asinh":
        value = potential / inputs.scales.potential
        bent = jnp.clip(value, -_BENT, _BENT)
        slope = jnp.cosh(bent)
        potential = inputs.scales.potential * (jnp.sinh(bent) + slope * (value - bent))
        field = slope[..., None] * field
    unit = unit.astype(potential.dtype)
    return unit[..., None] * potential, unit[..., None, None] * field
