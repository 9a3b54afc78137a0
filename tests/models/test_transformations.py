"""A model under `jax.jit`: a function that calls it is taken, the model itself is not."""

from collections.abc import Callable
from functools import cache

import equinox as eqx
import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
import pytest
from exact_model import inputs_of

from hypermagnetics.models import HyperLayer, Model, RangeSplit
from hypermagnetics.models.hyper_layer import HyperLayerConfig
from hypermagnetics.models.split import RangeSplitConfig
from hypermagnetics.sources import SourceColumns

_INPUTS = inputs_of(SourceColumns.of("disc", constants={"radius": 0.3}))
_SMALL = HyperLayerConfig(width=8, depth=1, hwidth=0.5, hdepth=1)
_SOURCES, _POINTS = map(jnp.asarray, (np.eye(3, 4) - 0.3, np.linspace(-1, 2, 10).reshape(5, 2)))


@cache
def network() -> Model:
    """A learned one."""
    return HyperLayer(config=_SMALL, inputs=_INPUTS, hyperkey=jr.key(0), mainkey=jr.key(1))


def split() -> Model:
    """One that knows the kernel."""
    return RangeSplit(RangeSplitConfig(rank=4, waves=8), _INPUTS, jr.key(2))


def test_jit_of_a_function_that_calls_the_model() -> None:
    """By JAX around a function, by equinox around the method itself."""
    model = network()
    expected = model.potential(_SOURCES, _POINTS)
    around = jax.jit(lambda sources, points: model.potential(sources, points))
    for potential in (around, eqx.filter_jit(model.potential)):
        np.testing.assert_allclose(potential(_SOURCES, _POINTS), expected, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("make", [network, split])
def test_jit_of_the_model_itself_is_refused(make: Callable[[], Model]) -> None:
    """JAX hashes what it compiles, and a model holds arrays."""
    model = make()
    for function in (model, model.potential, model.field):
        with pytest.raises(TypeError, match="unhashable"):
            jax.jit(function)(_SOURCES, _POINTS)
