"""Every method of a model and of a body under every transformation of JAX, as a plain function."""

from collections.abc import Callable
from functools import cache
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
import pytest
from exact_model import inputs_of

from hypermagnetics.models import (
    FourierSeries,
    FourierSeriesConfig,
    HyperLayer,
    HyperMLP,
    Linear,
    LinearConfig,
    Model,
    RangeSplit,
)
from hypermagnetics.models.hyper_layer import HyperLayerConfig
from hypermagnetics.models.split import RangeSplitConfig
from hypermagnetics.sources import Disc, SourceColumns

Function = Callable[..., Any]

_INPUTS = inputs_of(SourceColumns.of("disc", constants={"radius": 0.3}))
_SMALL = HyperLayerConfig(width=8, depth=1, hwidth=0.5, hdepth=1)
_KEYS = {"hyperkey": jr.key(0), "mainkey": jr.key(1)}
_MODELS: dict[str, Callable[[], Model]] = {
    "hyper_layer": lambda: HyperLayer(config=_SMALL, inputs=_INPUTS, **_KEYS),
    "hyper_mlp": lambda: HyperMLP(4, 1, 0.1, 1, inputs=_INPUTS, **_KEYS),
    "linear": lambda: Linear(LinearConfig(), inputs=_INPUTS, **_KEYS),
    "fourier_series": lambda: FourierSeries(
        FourierSeriesConfig(order=2), inputs=_INPUTS, hyperkey=jr.key(0)
    ),
    "range_split": lambda: RangeSplit(RangeSplitConfig(rank=4, waves=8), _INPUTS, jr.key(2)),
}

_SOURCES = jnp.asarray(np.eye(3, 4) - 0.3)
_POINTS = jnp.asarray(np.linspace(-1, 2, 10).reshape(5, 2))
_TABLES = jnp.stack([_SOURCES, 2 * _SOURCES])
_LABELS = (jnp.ones((2, 5)), jnp.ones((2, 5, 2)))
_OF_ONE = ("potential", "field", "flux_density")
_OF_BLOCK = ("block", "learned_block", "evaluate_block")


@cache
def model_of(name: str) -> Model:
    """One of each architecture."""
    return _MODELS[name]()


def calls(model: Model) -> list[tuple[Function, tuple[Any, ...]]]:
    """All that a model gives from arrays, with arguments."""
    return [
        (model, (_SOURCES, _POINTS)),
        *((getattr(model, name), (_SOURCES, _POINTS)) for name in _OF_ONE),
        *((getattr(model, name), (_TABLES, _POINTS)) for name in _OF_BLOCK),
        (model.errors, (_TABLES, _POINTS, *_LABELS)),
        (model.weights, (_SOURCES,)),
        (model.evaluate, (model.weights(_SOURCES), _POINTS)),
    ]


def total(values: Any) -> jax.Array:
    """A number that depends on all values."""
    return jnp.asarray(sum(jnp.sum(jnp.sin(leaf)) for leaf in jax.tree.leaves(values)))


def derivative(function: Function) -> Function:
    """By the first argument, of a number that depends on all values."""
    return jax.grad(lambda *arguments: total(function(*arguments)))


def under_vmap(function: Function) -> Function:
    """Of twice the same arguments, the second result."""

    def second(*arguments: Any) -> Any:
        twice = jax.tree.map(lambda leaf: jnp.stack([leaf, leaf]), arguments)
        return jax.tree.map(lambda leaf: leaf[1], jax.vmap(function)(*twice))

    return second


def nested(function: Function) -> Function:
    """Compiled inside of a program that compiles it for other shapes too, and so looks it up."""

    def both(*arguments: Any) -> Any:
        more = jax.tree.map(lambda leaf: jnp.stack([leaf, leaf]), arguments)
        jax.vmap(jax.jit(function))(*more)
        return jax.jit(function)(*arguments)

    return jax.jit(both)


def without_jit(function: Function) -> Function:
    """Each operation by itself."""

    def plain(*arguments: Any) -> Any:
        with jax.disable_jit():
            return function(*arguments)

    return plain


_TRANSFORMATIONS: dict[str, Callable[[Function], Function]] = {
    "jit": jax.jit,
    "filter_jit": eqx.filter_jit,
    "nested": nested,
    "checkpoint": jax.checkpoint,
    "vmap": under_vmap,
    "disable_jit": without_jit,
}


def assert_close(found: Any, expected: Any) -> None:
    """Equal to rounding in float32."""
    for one, other in zip(jax.tree.leaves(found), jax.tree.leaves(expected), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-5)


def test_the_field_of_a_model_is_taken() -> None:
    """By `jax.jit`, as the model itself."""
    model = model_of("linear")
    for method in (model, model.field):
        found = jax.jit(method)(_SOURCES, _POINTS)
        assert_close(found, method(_SOURCES, _POINTS))


@pytest.mark.slow
@pytest.mark.parametrize("transformation", _TRANSFORMATIONS)
@pytest.mark.parametrize("name", _MODELS)
def test_every_method_is_taken(name: str, transformation: str) -> None:
    """And gives the same values."""
    for method, arguments in calls(model_of(name)):
        transformed = _TRANSFORMATIONS[transformation](method)
        assert_close(transformed(*arguments), method(*arguments))


@pytest.mark.slow
@pytest.mark.parametrize("name", _MODELS)
def test_every_method_is_differentiated(name: str) -> None:
    """By `jax.checkpoint` and `jax.jit` of the method as by the method."""
    for method, arguments in calls(model_of(name)):
        plain = derivative(method)(*arguments)
        for transformed in (jax.checkpoint(method), jax.jit(method)):
            assert_close(derivative(transformed)(*arguments), plain)


def test_parameters_that_are_traced_are_no_constants() -> None:
    """A method of a model that is itself being differentiated is another one."""
    model = model_of("hyper_layer")

    def size(of: Model) -> jax.Array:
        return total(jax.jit(of.potential)(_SOURCES, _POINTS))

    found, expected = (
        eqx.filter_grad(function)(model)
        for function in (size, lambda of: total(of.potential(_SOURCES, _POINTS)))
    )
    assert_close(found, expected)


def test_a_model_that_is_replaced_leaves_nothing_behind() -> None:
    """Also where the new one takes the place of the old one in memory."""
    for factor in range(1, 4):
        model = jax.tree.map(lambda leaf, by=factor: leaf * by, model_of("linear"))
        expected = model.potential(_SOURCES, _POINTS)
        assert_close(jax.jit(model.potential)(_SOURCES, _POINTS), expected)


def test_the_same_method_is_compiled_once() -> None:
    """Each `model.field` is an object of its own, and equal to the last one."""
    model = model_of("linear")
    assert (model.field, hash(model.field)) == (model.field, hash(model.field))
    assert model.field != model.potential
    assert model.field != jax.tree.map(lambda leaf: leaf, model).field


@pytest.mark.parametrize("transformation", _TRANSFORMATIONS)
def test_every_method_of_a_body_is_taken(transformation: str) -> None:
    """As of a model."""
    body = Disc([1.0, 0.5], [0.1, 0.2], 0.3)
    for method in (body.potential, body.field):
        transformed = _TRANSFORMATIONS[transformation](method)
        assert_close(transformed(_POINTS), method(_POINTS))
