"""One small model of each shipped architecture, and all that a model gives."""

from collections.abc import Callable
from functools import cache
from typing import Any

import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
from drawn_waves import drawn_waves
from exact_model import inputs_of

from hypermagnetics.models import (
    FourierSeries,
    FourierSeriesConfig,
    GridSplit,
    GridSplitConfig,
    HyperLayer,
    HyperMLP,
    Linear,
    LinearConfig,
    Model,
    RangeSplit,
)
from hypermagnetics.models.hyper_layer import HyperLayerConfig
from hypermagnetics.models.split import RangeSplitConfig
from hypermagnetics.sources import SourceColumns

Function = Callable[..., Any]

_INPUTS = inputs_of(SourceColumns.of("disc", constants={"radius": 0.3}))
_SMALL = HyperLayerConfig(width=8, depth=1, hwidth=0.5, hdepth=1)
_KEYS = {"hyperkey": jr.key(0), "mainkey": jr.key(1)}
MODELS: dict[str, Callable[[], Model]] = {
    "hyper_layer": lambda: HyperLayer(config=_SMALL, inputs=_INPUTS, **_KEYS),
    "hyper_mlp": lambda: HyperMLP(4, 1, 0.1, 1, inputs=_INPUTS, **_KEYS),
    "linear": lambda: Linear(LinearConfig(), inputs=_INPUTS, **_KEYS),
    "fourier_series": lambda: FourierSeries(
        FourierSeriesConfig(order=2), inputs=_INPUTS, hyperkey=jr.key(0)
    ),
    # Of its domain some of the points are outside.
    "grid_split": lambda: GridSplit(
        GridSplitConfig(domain=1.0, accuracy=0.1), _INPUTS
    ).fitted_to_domain(),
    "wave_layer": lambda: drawn_waves(_INPUTS, jr.key(3)),
    "range_split": lambda: RangeSplit(RangeSplitConfig(rank=4, waves=8), _INPUTS, jr.key(2)),
}

SOURCES = jnp.asarray(np.eye(3, 4) - 0.3)
POINTS = jnp.asarray(np.linspace(-1, 2, 10).reshape(5, 2))
TABLES = jnp.stack([SOURCES, 2 * SOURCES])
_LABELS = (jnp.ones((2, 5)), jnp.ones((2, 5, 2)))
_OF_ONE = ("potential", "field", "flux_density", "potential_and_field")
_OF_BLOCK = ("block", "learned_block", "evaluate_block")


@cache
def model_of(name: str) -> Model:
    """One of each architecture."""
    return MODELS[name]()


def calls(model: Model) -> list[tuple[Function, tuple[Any, ...]]]:
    """All that a model gives from arrays, with arguments."""
    return [
        (model, (SOURCES, POINTS)),
        *((getattr(model, name), (SOURCES, POINTS)) for name in _OF_ONE),
        *((getattr(model, name), (TABLES, POINTS)) for name in _OF_BLOCK),
        (model.errors, (TABLES, POINTS, *_LABELS)),
        (model.weights, (SOURCES,)),
        (model.evaluate, (model.weights(SOURCES), POINTS)),
    ]


def total(values: Any) -> jax.Array:
    """A number that depends on all values."""
    return jnp.asarray(sum(jnp.sum(jnp.sin(leaf)) for leaf in jax.tree.leaves(values)))


def derivative(function: Function) -> Function:
    """By all arguments, as sources and points, of a number that depends on all values."""

    def gradients(*arguments: Any) -> Any:
        every = tuple(range(len(arguments)))
        return jax.grad(lambda *given: total(function(*given)), every)(*arguments)

    return gradients
