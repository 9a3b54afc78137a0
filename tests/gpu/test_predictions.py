"""Predictions on a GPU: those of a CPU, to the rounding of float32."""

from typing import Any

import equinox as eqx
import jax
import jax.random as jr
import numpy as np
import pytest
from exact_model import inputs_of
from magnets import KINDS, random_rows
from two_platforms import largest_difference, results_on

from hypermagnetics.models import FourierSeriesConfig, LinearConfig, RangeSplitConfig, build_model
from hypermagnetics.models.hyper_layer import HyperLayerConfig
from hypermagnetics.models.hyper_mlp import HyperMLPConfig
from hypermagnetics.models.registry import ModelConfig

pytestmark = pytest.mark.gpu

CONFIGS: dict[str, ModelConfig] = {
    "hyper_layer": HyperLayerConfig(width=64, depth=2, hwidth=1.0, hdepth=2),
    "hyper_mlp": HyperMLPConfig(),
    "fourier": FourierSeriesConfig(order=4),
    "linear": LinearConfig(),
    "split": RangeSplitConfig(),
}
BOUND = 1e-6


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", CONFIGS)
def test_predictions_are_those_of_a_cpu(
    name: str, kind: str, card: jax.Device, cpu: jax.Device
) -> None:
    """Of every shipped model for every body: potential and field of three samples at once."""
    columns = KINDS[kind]
    random = np.random.default_rng(0)
    rows = random_rows(columns, random, 12).reshape(3, 4, -1)
    points = random.uniform(-3, 3, (50, columns.dim))
    built = build_model(CONFIGS[name], inputs_of(columns), jr.key(0))
    model, *given = jax.tree.map(
        lambda leaf: leaf.astype(np.float32) if eqx.is_inexact_array_like(leaf) else leaf,
        (built, rows, points),
        is_leaf=eqx.is_array_like,
    )

    def block(of: Any, *arguments: Any) -> Any:
        return eqx.filter_jit(of.block)(*arguments)

    found = results_on(card, block, model, *map(jax.numpy.asarray, given))
    expected = results_on(cpu, block, model, *map(jax.numpy.asarray, given))
    assert largest_difference(found, expected) < BOUND
