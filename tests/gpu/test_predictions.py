"""Predictions on a GPU: those of a CPU, to the rounding of float32."""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
import pytest
from drawn_waves import drawn_waves
from every_model import CASES, made, main_prediction
from exact_model import inputs_of
from jax import export
from magnets import KINDS, random_rows
from two_platforms import largest_difference

from hypermagnetics.models import (
    ArrayModel,
    FourierSeriesConfig,
    GridSplit,
    GridSplitConfig,
    HyperMLPConfig,
    LinearConfig,
    Model,
    ModelInputs,
    RangeSplitConfig,
    WaveLayerConfig,
    array_to_jax_export,
    build_model,
    to_jax_export,
)
from hypermagnetics.models.hyper_layer import HyperLayerConfig
from hypermagnetics.models.registry import ModelConfig

pytestmark = pytest.mark.gpu

CONFIGS: dict[str, ModelConfig] = {
    "hyper_layer": HyperLayerConfig(width=64, depth=2, hwidth=1.0, hdepth=2),
    "hyper_mlp": HyperMLPConfig(),
    "fourier": FourierSeriesConfig(order=4),
    "linear": LinearConfig(),
    "range_split": RangeSplitConfig(),
    "grid_split": GridSplitConfig(domain=4.0, accuracy=0.1),
    "wave_layer": WaveLayerConfig(width=64, source_width=64),
}
BOUND = 1e-6


def built(config: ModelConfig, inputs: ModelInputs) -> Model:
    """A model that predicts more than zero."""
    if isinstance(config, WaveLayerConfig):
        return drawn_waves(inputs, jr.key(0), config.width)
    model = build_model(config, inputs, jr.key(0))
    return model.fitted_to_domain() if isinstance(model, GridSplit) else model


def in_float32(tree: Any) -> Any:
    """All numbers as JAX has them unless it is set to float64, on its device."""
    return jax.tree.map(
        lambda leaf: jnp.asarray(leaf, jnp.float32) if eqx.is_inexact_array_like(leaf) else leaf,
        tree,
        is_leaf=eqx.is_array_like,
    )


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", CONFIGS)
def test_predictions_are_those_of_a_cpu(name: str, kind: str) -> None:
    """Of every model of hard magnets for every body: potential and field of three samples."""
    columns = KINDS[kind]
    random = np.random.default_rng(0)
    rows = random_rows(columns, random, 12).reshape(3, 4, -1)
    points = random.uniform(-3, 3, (50, columns.dim))
    given = in_float32((built(CONFIGS[name], inputs_of(columns)), rows, points))

    @eqx.filter_jit
    def block(of: Model, *arguments: jax.Array) -> Any:
        return of.block(*arguments)

    assert largest_difference(block, *given) < BOUND


@pytest.mark.parametrize("name", CASES)
def test_every_shipped_model_predicts_as_on_a_cpu(name: str) -> None:
    """Networks from arrays to arrays, rollouts and soft bodies, too."""
    function, arguments = main_prediction(name)
    given = in_float32((made(name), *arguments))
    assert largest_difference(eqx.filter_jit(function), *given) < BOUND


@pytest.mark.parametrize("name", ["hyper_layer", "grid_split", "range_split", "mlp", "unet"])
def test_an_export_runs_on_the_card(name: str) -> None:
    """And gives what it gives on a CPU."""
    model = made(name)
    if isinstance(model, ArrayModel):
        data = array_to_jax_export(model, "targets")
    else:
        data = to_jax_export(model, "field")
    _, arguments = main_prediction(name)
    called = export.deserialize(bytearray(data)).call
    assert largest_difference(jax.jit(called), *in_float32(arguments)) < BOUND
