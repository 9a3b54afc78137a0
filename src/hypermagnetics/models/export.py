"""Models as functions that plain JAX calls, without this package."""

from functools import partial
from typing import Literal

import jax
import jax.numpy as jnp
from jax import export
from jaxtyping import Array

from hypermagnetics.errors import HypermagneticsError
from hypermagnetics.models.array_model import ArrayModel
from hypermagnetics.models.model import Model, field_at, potential_at
from hypermagnetics.shapes import Field, Points, Potential, SourceTable
from hypermagnetics.sources.sums import Platform, sums_for

ArrayQuantity = Literal["targets", "jacobian"]

PLATFORMS = ("cpu", "cuda")
"""Platforms of an exported function."""

Quantity = Literal["potential", "field"]
_FUNCTIONS = {"potential": potential_at, "field": field_at}


def to_jax_export(model: Model, quantity: Quantity) -> bytes:
    """Write a model as StableHLO, with its parameters, for any number of sources and points.

    `jax.export.deserialize(data).call(sources, points)` gives what `model.potential` or
    `model.field` does, to rounding, from float32 arrays of shape (sources, columns) and
    (points, dim), at least one row each. Nothing is checked; outside of the domain it gives what
    the model gives under `jax.jit`. Under the `jax.jit` of its caller it is compiled into one
    program with what is around.

    A part that is summed for neighbours only is summed over all pairs of source and point instead,
    because lists of neighbours take their sizes from the values. Time then grows with sources times
    points; memory stays bounded as in the model.

    JAX adds the places in program files that each operation comes from, with their paths on this
    machine, unless its setting `jax_traceback_in_locations_limit` is 0, as in `hm-train export`.

    Args:
        model: The model.
        quantity: Name of one of its two functions.

    Returns:
        The bytes of a file, which JAX reads for at least the six months of its promise.

    Raises:
        HypermagneticsError: If the model calls more than JAX, as waves by NUFFT do, or solves for
            the bodies of a table together.

    References:
        https://docs.jax.dev/en/latest/export/export.html#compatibility-guarantees
    """
    if model.optional_packages:
        raise HypermagneticsError(
            "A model to be exported must compute by JAX alone; got one that calls "
            f'{", ".join(model.optional_packages)}. Make a split with transform "products" '
            "(model.transform)."
        )
    if model.solves_for_sources:
        raise HypermagneticsError(
            "A model to be exported must take any number of sources; got a "
            f"{type(model).__name__}, which solves for all of a table together. Call it in Python "
            "by hypermagnetics.load."
        )
    of_quantity, guard = _FUNCTIONS[quantity], model.traced_guard

    def on(platform: Platform, sources: SourceTable, points: Points) -> Potential | Field:
        with sums_for(platform):
            values: Potential | Field = of_quantity(model, sources, points, None, guard)
        return values

    def function(sources: SourceTable, points: Points) -> Potential | Field:
        values: Potential | Field = jax.lax.platform_dependent(
            sources, points, cpu=partial(on, "cpu"), cuda=partial(on, "gpu")
        )
        return values

    count, num_points = export.symbolic_shape("sources, points")
    exported = export.export(jax.jit(function), platforms=PLATFORMS)(
        jax.ShapeDtypeStruct((count, model.inputs.columns.size), jnp.float32),
        jax.ShapeDtypeStruct((num_points, model.dim), jnp.float32),
    )
    return bytes(exported.serialize())


def array_to_jax_export(model: ArrayModel, quantity: ArrayQuantity) -> bytes:
    """Write a network from arrays to arrays as StableHLO, for any number of samples.

    `jax.export.deserialize(data).call(inputs)` gives what `model(inputs)` or
    `model.jacobian(inputs)` does, to rounding, from a float32 array (samples, *inputs), of at least
    one sample. See `to_jax_export`.

    Args:
        model: The network.
        quantity: "targets", or "jacobian" for their derivatives by the inputs.

    Returns:
        The bytes of a file.
    """

    def function(inputs: Array) -> Array:
        found: Array = model(inputs) if quantity == "targets" else model.jacobian(inputs)
        return found

    (count,) = export.symbolic_shape("samples")
    shape = jax.ShapeDtypeStruct((count, *model.inputs.input.shape), jnp.float32)
    return bytes(export.export(jax.jit(function), platforms=PLATFORMS)(shape).serialize())
