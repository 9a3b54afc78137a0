"""Every method of a model and of a body under every transformation of JAX, as a plain function."""

from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from shipped_models import MODELS, POINTS, SOURCES, Function, calls, derivative, model_of, total

from hypermagnetics.models import Model
from hypermagnetics.sources import Disc


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


@pytest.mark.slow
def test_the_field_of_a_model_is_taken() -> None:
    """By `jax.jit`, as the model itself."""
    model = model_of("linear")
    for method in (model, model.field):
        found = jax.jit(method)(SOURCES, POINTS)
        assert_close(found, method(SOURCES, POINTS))


@pytest.mark.slow
@pytest.mark.parametrize("transformation", _TRANSFORMATIONS)
@pytest.mark.parametrize("name", MODELS)
def test_every_method_is_taken(name: str, transformation: str) -> None:
    """And gives the same values."""
    for method, arguments in calls(model_of(name)):
        transformed = _TRANSFORMATIONS[transformation](method)
        assert_close(transformed(*arguments), method(*arguments))


@pytest.mark.slow
@pytest.mark.parametrize("name", MODELS)
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
        return total(jax.jit(of.potential)(SOURCES, POINTS))

    found, expected = (
        eqx.filter_grad(function)(model)
        for function in (size, lambda of: total(of.potential(SOURCES, POINTS)))
    )
    assert_close(found, expected)


@pytest.mark.slow
def test_a_model_that_is_replaced_leaves_nothing_behind() -> None:
    """Also where the new one takes the place of the old one in memory."""
    for factor in range(1, 4):
        model = jax.tree.map(lambda leaf, by=factor: leaf * by, model_of("linear"))
        expected = model.potential(SOURCES, POINTS)
        assert_close(jax.jit(model.potential)(SOURCES, POINTS), expected)


def test_the_same_method_is_compiled_once() -> None:
    """Each `model.field` is an object of its own, and equal to the last one."""
    model = model_of("linear")
    assert (model.field, hash(model.field)) == (model.field, hash(model.field))
    assert model.field != model.potential
    assert model.field != jax.tree.map(lambda leaf: leaf, model).field


@pytest.mark.slow_cases
@pytest.mark.parametrize("transformation", _TRANSFORMATIONS)
def test_every_method_of_a_body_is_taken(transformation: str) -> None:
    """As of a model."""
    body = Disc([1.0, 0.5], [0.1, 0.2], 0.3)
    for method in (body.potential, body.field):
        transformed = _TRANSFORMATIONS[transformation](method)
        assert_close(transformed(POINTS), method(POINTS))
