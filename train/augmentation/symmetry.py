"""Interface of a symmetry, and the common parts of transforms."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TypeVar

import jax
import jax.numpy as jnp
import jax.random as jr
from jaxtyping import Array, Float

from hypermagnetics.shapes import AnyKey
from hypermagnetics.sources import SourceColumns
from hypermagnetics.table import APPLIED, applied_field, applied_names, shares_applied_field
from hypermagnetics.train.devices import DeviceBatch

_Draw = TypeVar("_Draw")


@dataclass(frozen=True)
class Symmetry:
    """A random change of sources and points, with the exact labels of the result."""

    apply: Callable[[SourceColumns, DeviceBatch, AnyKey], DeviceBatch]
    """Map from columns, a batch and a random key to a batch of the same shapes."""
    obstacle: Callable[[SourceColumns], str | None]
    """Reason why source tables of these columns cannot hold the result; None if they can."""


def shared_field(columns: SourceColumns) -> str | None:
    """The obstacle of symmetries that change an applied field, which is no column if shared."""
    if shares_applied_field(columns):
        return "columns of its own for the applied field"
    return None


def shared_component(columns: SourceColumns) -> str | None:
    """The obstacle of rotations: an applied field that is not all columns, unless it is 0."""
    if 0 < len(applied_names(columns)) < columns.dim:
        return "columns of its own for all components of the applied field"
    return shared_field(columns)


def per_block(draw: Callable[[AnyKey], _Draw], key: AnyKey, batch: DeviceBatch) -> _Draw:
    """One draw for each block, since its samples share their points.

    Args:
        draw: From a random key to arrays.
        key: Random key.
        batch: The blocks.

    Returns:
        The arrays, with the blocks along a first axis.
    """
    drawn: _Draw = jax.vmap(lambda block: draw(jr.fold_in(key, block)))(
        jnp.arange(len(batch.sources))
    )
    return drawn


def per_sample(
    draw: Callable[[AnyKey], Float[Array, ""]], key: AnyKey, batch: DeviceBatch
) -> Float[Array, "blocks samples"]:
    """One draw for each sample: the same whether or not others fill up its block.

    Args:
        draw: From a random key to a number.
        key: Random key.
        batch: The samples.

    Returns:
        The numbers.
    """
    samples = jnp.arange(batch.sources.shape[1])
    return per_block(
        lambda of_block: jax.vmap(lambda sample: draw(jr.fold_in(of_block, sample)))(samples),
        key,
        batch,
    )


def mapped_linearly(
    columns: SourceColumns, batch: DeviceBatch, matrix: Float[Array, "blocks dim dim"]
) -> DeviceBatch:
    """Vectors v of bodies and points become Q v, with an orthogonal matrix for each block.

    Those are moments, positions, applied fields, points and fields.

    The potential is that of the bodies mapped likewise, phi(Q m, Q d) = phi(m, d), so it stays.

    Args:
        columns: Columns of the sources.
        batch: The batch.
        matrix: Q of each block.

    Returns:
        The batch; sizes, rotation and susceptibility are as before.
    """
    dim, sources = columns.dim, batch.sources
    parts = (
        _mapped(matrix, sources[..., :dim]),
        _mapped(matrix, sources[..., dim : 2 * dim]),
        sources[..., 2 * dim :],
    )
    mapped = jnp.concatenate(parts, axis=-1)
    if applied := applied_names(columns):
        field = _mapped(matrix, applied_field(columns, sources))
        given = dict(zip(APPLIED[:dim], jnp.moveaxis(field, -1, 0), strict=True))
        mapped = with_columns(columns, mapped, {name: given[name] for name in applied})
    return replace(
        batch,
        sources=mapped,
        grid=_mapped(matrix, batch.grid),
        field=_mapped(matrix, batch.field),
    )


def with_columns(
    columns: SourceColumns,
    sources: Float[Array, "blocks samples sources columns"],
    changed: dict[str, Float[Array, "blocks samples sources"]],
) -> Float[Array, "blocks samples sources columns"]:
    """Source tables with some columns replaced, by their names."""
    for name, values in changed.items():
        sources = sources.at[..., columns.index(name)].set(values)
    return sources


def _mapped(
    matrix: Float[Array, "blocks dim dim"], vectors: Float[Array, "blocks *rest dim"]
) -> Float[Array, "blocks *rest dim"]:
    # Sums of products, and no matrix product, whose factors a GPU may be asked to round.
    blocks, dim = matrix.shape[:2]
    spread = matrix.reshape(blocks, *(1,) * (vectors.ndim - 2), dim, dim)
    return jnp.sum(spread * vectors[..., None, :], axis=-1)
