"""Initial fit of a FourierSeries, in a short basis of its many products.

The products are nearly dependent: on the paper's grid all but some 360 combinations of 4096 are
small. In an orthonormal basis of these combinations the mean squared error of a potential over the
domain is that of its coordinates, so that a hypernetwork of short outputs is trained on vectors
that are computed once, instead of one of long outputs on values at points, and from a much better
start: no direction is a thousand times steeper than another.
"""

from collections.abc import Callable
from functools import partial
from typing import Annotated, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
import optax
from jaxtyping import Array, Float, Float64
from pydantic import Field

from hypermagnetics.config import Config
from hypermagnetics.models.additive import MomentAs, sum_over_sources
from hypermagnetics.models.inputs import ModelInputs, NetworkInputs, read_rows
from hypermagnetics.models.mlp import FourierMLP, Layer
from hypermagnetics.models.orthonormal import orthonormal_columns
from hypermagnetics.shapes import AnyKey, Points, SourceTable
from hypermagnetics.sources import SourceColumns
from hypermagnetics.sources.superposition import block_sum

_Count = Annotated[int, Field(ge=1, le=2**20)]
_AT_ONCE = 1000
"""Sources whose potentials are held in memory at a time: some 40 MB."""

_WARMUP = 0.03
"""Share of the steps used for warm-up."""


class FourierFitConfig(Config):
    """Settings of the initial fit of the hypernetwork of a FourierSeries."""

    num_sources: _Count = 10_000
    """Largest number of sources in the fit."""
    num_points: Annotated[int, Field(ge=1, le=2**16)] = 9000
    """Largest number of points in the fit; more than functions, so that their linear dependence
    shows."""
    ridge: Annotated[float, Field(gt=0, lt=1)] = 1e-6
    """Combinations of functions with less than this share of the largest mean square are left
    out."""
    steps: _Count = 12_000
    """Steps of Adam, with a warm-up and a cosine decay, before the training itself."""
    sources_per_step: _Count = 256
    """Number of sources in a step."""
    learning_rate: Annotated[float, Field(gt=0)] = 2e-3
    """Peak learning rate."""


class Series(NamedTuple):
    """Functions, hypernetwork and inputs of a fit."""

    features: Callable[[Points], Float[Array, "points functions"]]
    hypernetwork: FourierMLP
    moment_as: MomentAs
    inputs: ModelInputs


class _Examples(NamedTuple):
    rows: NetworkInputs
    coordinates: Float[Array, "dim sources basis"]
    """Coordinates of the potential of a moment of 1 along each axis."""


def fit(
    config: FourierFitConfig, series: Series, sources: SourceTable, points: Points, key: AnyKey
) -> FourierMLP:
    """Train a hypernetwork on the coordinates of exact potentials, by the mean squared error.

    Positions, sizes and rotations are those of the given sources; since phi is linear in the
    moment, each step gives a source the moment of any other.

    Args:
        config: Settings.
        series: Functions, hypernetwork and inputs.
        sources: Sources; some are drawn.
        points: Points even over the domain [m]; some are drawn.
        key: Random key.

    Returns:
        A hypernetwork of the same sizes.
    """
    keys = jr.split(key, 3)
    columns = series.inputs.columns
    some = jr.permutation(keys[0], sources)[: config.num_sources]
    at = jr.permutation(keys[1], points)[: config.num_points]
    values = np.asarray(eqx.filter_jit(series.features)(at), np.float64)
    # orthonormal in the mean over the points
    basis = orthonormal_columns(values, config.ridge) * np.sqrt(len(values))
    examples = _Examples(
        read_rows(series.inputs, some),
        _coordinates(columns, series.inputs, some, at, values @ basis),
    )
    last = series.hypernetwork.layers[-1]
    vectors = len(last.bias) // len(basis)
    sizes = len(last.weight), vectors * basis.shape[1]
    # Zeros: what the drawn parameters make of a source is further from the potential than nothing.
    short = Layer(jnp.zeros(sizes, jnp.float32), jnp.zeros(sizes[1], jnp.float32))
    network = _with_last(series.hypernetwork, short)
    trained = _trained(config, network, series.moment_as, examples, keys[2])
    weight, bias = (_in_full(part, vectors, basis) for part in trained.layers[-1])
    return _with_last(trained, Layer(weight, bias))


def _coordinates(
    columns: SourceColumns,
    inputs: ModelInputs,
    sources: SourceTable,
    points: Points,
    values: Float64[np.ndarray, "points basis"],
) -> Float[Array, "dim sources basis"]:
    """Coordinates of unit potentials, from orthonormal functions; in units of the scales."""
    scales, dim = inputs.scales, inputs.dim
    tested = jnp.asarray(values / (len(values) * scales.potential), jnp.float32)
    axes = []
    for axis in scales.moment * np.eye(dim, dtype=np.float32):
        tables = sources.at[:, :dim].set(jnp.asarray(axis)[None])
        parts = [
            _projected(columns, tables[first : first + _AT_ONCE], points, tested)
            for first in range(0, len(tables), _AT_ONCE)
        ]
        axes.append(jnp.concatenate(parts))
    return jnp.stack(axes)


@partial(jax.jit, static_argnames="columns")
def _projected(
    columns: SourceColumns,
    sources: SourceTable,
    points: Points,
    tested: Float[Array, "points basis"],
) -> Float[Array, "sources basis"]:
    each = jnp.ones(len(sources), jnp.int32)
    potential, _ = block_sum(columns, sources[:, None], each, points)
    coordinates: Float[Array, "sources basis"] = potential.astype(tested.dtype) @ tested
    return coordinates


def _trained(
    config: FourierFitConfig,
    network: FourierMLP,
    moment_as: MomentAs,
    examples: _Examples,
    key: AnyKey,
) -> FourierMLP:
    """Train by Adam on the mean squared distance from the coordinates."""
    peak, warmup = config.learning_rate, max(round(_WARMUP * config.steps), 1)
    last = max(config.steps, warmup + 1)
    rate = optax.warmup_cosine_decay_schedule(peak / warmup, peak, warmup, last)
    optimiser = optax.adam(rate, b2=0.99)

    @eqx.filter_jit
    def step(
        examples: _Examples, network: FourierMLP, state: optax.OptState, key: AnyKey
    ) -> tuple[FourierMLP, optax.OptState]:
        rows, wanted = _drawn(config.sources_per_step, examples, key)
        gradient = eqx.filter_grad(_error)(network, moment_as, rows, wanted)
        updates, state = optimiser.update(gradient, state)
        return eqx.apply_updates(network, updates), state

    state = optimiser.init(eqx.filter(network, eqx.is_inexact_array))
    for done in range(config.steps):
        network, state = step(examples, network, state, jr.fold_in(key, done))
    return network


def _drawn(
    count: int, examples: _Examples, key: AnyKey
) -> tuple[NetworkInputs, Float[Array, "some basis"]]:
    """Draw sources with moments of other sources, and the coordinates of their potentials."""
    rows, coordinates = examples
    which, whose = jr.randint(key, (2, count), 0, len(rows.moment))
    moment = rows.moment[whose]
    wanted = jnp.einsum("sc,csk->sk", moment, coordinates[:, which])
    return NetworkInputs(moment, rows.position[which], rows.shape[which]), wanted


def _error(
    network: FourierMLP,
    moment_as: MomentAs,
    rows: NetworkInputs,
    wanted: Float[Array, "some basis"],
) -> Float[Array, ""]:
    def made(row: NetworkInputs) -> Float[Array, " basis"]:
        alone = NetworkInputs(*(part[None] for part in row))
        return sum_over_sources(alone, network, moment_as)

    return jnp.mean(jnp.sum((jax.vmap(made)(rows) - wanted) ** 2, axis=-1))


def _with_last(network: FourierMLP, last: Layer) -> FourierMLP:
    changed: FourierMLP = eqx.tree_at(lambda n: n.layers, network, (*network.layers[:-1], last))
    return changed


def _in_full(
    part: Float[Array, "*inputs short"],
    vectors: int,
    basis: Float64[np.ndarray, "functions basis"],
) -> Float[Array, "*inputs long"]:
    """Map coordinates to weights of the functions, for each vector of weights."""
    short = np.asarray(part, np.float64).reshape(*part.shape[:-1], vectors, -1)
    return jnp.asarray((short @ basis.T).reshape(*part.shape[:-1], -1), jnp.float32)
