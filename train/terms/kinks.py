"""Functions with kinks in a model, whose derivatives cannot be learned from."""

from collections.abc import Iterator

import equinox as eqx
import jax
import jax.numpy as jnp
from jax.extend.core import ClosedJaxpr, Jaxpr

from hypermagnetics.models import ArrayModel, Model

KINKED = (
    "relu",
    "relu6",
    "leaky_relu",
    "selu",
    "hard_tanh",
    "hard_sigmoid",
    "hard_swish",
    "hard_silu",
)
"""Functions of `jax.nn` with a slope that jumps."""


def kinked_functions(model: Model) -> tuple[str, ...]:
    """Names of the functions of `jax.nn` with kinks that the learned part of a model calls.

    Between kinks the slope of such a function does not change, so that the gradient of a derivative
    by the parameters knows nothing of kinks that move with them.

    Args:
        model: The model; shapes are enough.
    """
    width = model.inputs.columns.size
    shapes = [jax.ShapeDtypeStruct(shape, jnp.float32) for shape in ((1, 1, width), (1, model.dim))]
    found, _, _ = eqx.filter_make_jaxpr(lambda one, *block: one.learned_block(*block))(
        model, *shapes
    )
    return _kinked(found.jaxpr)


def kinked_functions_of_array(model: ArrayModel) -> tuple[str, ...]:
    """Names of the functions of `jax.nn` with kinks that a network from arrays to arrays calls.

    Args:
        model: The network; shapes are enough.
    """
    sample = jax.ShapeDtypeStruct(model.inputs.input.shape, jnp.float32)
    found, _, _ = eqx.filter_make_jaxpr(lambda one, values: one.apply(values))(model, sample)
    return _kinked(found.jaxpr)


def _kinked(program: Jaxpr) -> tuple[str, ...]:
    names = set(_names(program))
    return tuple(name for name in KINKED if name in names)


def _names(program: Jaxpr) -> Iterator[str]:
    """Names of all functions called by a program."""
    for equation in program.eqns:
        if isinstance(name := equation.params.get("name"), str):
            yield name
        for value in equation.params.values():
            for part in value if isinstance(value, tuple | list) else (value,):
                if isinstance(part, ClosedJaxpr):
                    yield from _names(part.jaxpr)
                elif isinstance(part, Jaxpr):
                    yield from _names(part)
