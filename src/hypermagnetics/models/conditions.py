"""Conditions on work that can be passed over, also under `jax.vmap`."""

from collections.abc import Callable
from typing import Any, TypeVar

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool

_Tree = TypeVar("_Tree")


def where_needed(
    needed: Bool[Array, ""],
    work: Callable[..., _Tree],
    otherwise: Callable[..., _Tree],
    *operands: Any,
) -> _Tree:
    """Do some work where it is needed, for a whole batch where any of it needs it.

    Under `jax.vmap` a `jax.lax.cond` of a batched condition does the work always, and chooses
    afterwards. Here the condition of a batch is that of any of its members: without one the work is
    passed over, as without `jax.vmap`.

    Args:
        needed: Whether the work is needed.
        work: Function of the operands; its values must be those of `otherwise` for members of a
            batch that do not need it.
        otherwise: Function of the operands, without the work.
        operands: Arguments of both, with derivatives.

    Returns:
        The values of one of the two.
    """
    found: _Tree = jax.lax.cond(_any_of_batch(needed), work, otherwise, *operands)
    return found


@jax.custom_batching.custom_vmap
def _any_of_batch(condition: Bool[Array, ""]) -> Bool[Array, ""]:
    """The condition, and of a batch of conditions whether any holds."""
    return condition


@_any_of_batch.def_vmap
def _joined(
    _: object, __: list[bool], conditions: Bool[Array, " batch"]
) -> tuple[Bool[Array, ""], bool]:
    """Of a batch, and that the result is no batch."""
    return _any_of_batch(jnp.any(conditions, axis=0)), False
