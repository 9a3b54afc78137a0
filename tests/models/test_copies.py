"""Copies of a model: pickled, copied, compared and printed."""

import copy
import pickle
from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from shipped_models import MODELS, POINTS, SOURCES, model_of

from hypermagnetics.models import Model

COPIES: dict[str, Callable[[Any], Any]] = {
    "pickle": lambda model: pickle.loads(pickle.dumps(model)),
    "copy": copy.copy,
    "deepcopy": copy.deepcopy,
}
_LONGEST = 1000
"""Characters of the `repr` of a small model: class, settings and shapes of parameters."""


@pytest.mark.slow_cases
@pytest.mark.parametrize("made", COPIES)
@pytest.mark.parametrize("name", MODELS)
def test_a_copy_is_equal(name: str, made: str) -> None:
    """And has its hash, as whatever is equal."""
    model = model_of(name)
    again = COPIES[made](model)
    assert again == model
    assert hash(again) == hash(model)
    assert {model: "kept"}[again] == "kept"
    assert (again.config, again.inputs, repr(again)) == (model.config, model.inputs, repr(model))


@pytest.mark.slow
@pytest.mark.parametrize("name", MODELS)
def test_a_copy_gives_the_same_field(name: str) -> None:
    """To the bit, called with values and compiled."""
    model = model_of(name)
    expected = model.field(SOURCES, POINTS)
    for make in COPIES.values():
        again = make(model)
        np.testing.assert_array_equal(again.field(SOURCES, POINTS), expected)
        np.testing.assert_array_equal(
            jax.jit(again)(SOURCES, POINTS), jax.jit(model)(SOURCES, POINTS)
        )


@pytest.mark.slow_cases
@pytest.mark.parametrize("name", MODELS)
def test_another_parameter_or_setting_makes_another_model(name: str) -> None:
    """By one bit of one array, by its type, or by a setting that no array shows."""
    model = model_of(name)
    leaves, tree = jax.tree.flatten(model)
    for place, leaf in enumerate(leaves):
        flat = np.array(leaf).reshape(-1)
        flat[-1] = np.nextafter(flat[-1], flat.dtype.type(np.inf))
        for changed in (jnp.asarray(flat.reshape(leaf.shape)), leaf.astype(jnp.float64)):
            other = tree.unflatten([*leaves[:place], changed, *leaves[place + 1 :]])
            assert other != model
            assert model != other
    assert model.with_outside("ignore") != model
    assert model != name


@pytest.mark.slow
def test_models_of_other_classes_are_not_equal() -> None:
    """Each is equal to itself alone."""
    models = [model_of(name) for name in MODELS]
    for place, model in enumerate(models):
        assert [model == other for other in models] == [i == place for i in range(len(models))]


def test_parameters_that_are_not_known_are_the_same_objects() -> None:
    """Inside a transformation a model is equal to itself, and comparing computes nothing."""
    model = model_of("wave_layer")
    again = copy.deepcopy(model)

    def compared(traced: Model) -> jax.Array:
        leaves, tree = jax.tree.flatten(traced)
        assert tree.unflatten(leaves) == traced
        assert traced != model
        assert again == model
        return jnp.zeros(())

    assert not jax.make_jaxpr(compared)(model).eqns


def test_models_that_differ_have_programs_of_their_own() -> None:
    """`jax.jit` keeps programs by what is equal."""
    model = model_of("wave_layer")
    double = eqx.tree_at(lambda one: one.matrix, model, 2 * model.matrix)
    alone = model.with_outside("ignore"), double.with_outside("ignore")
    found = [jax.jit(each)(SOURCES, POINTS) for each in alone]
    np.testing.assert_allclose(found[1], 2 * found[0], rtol=1e-6)


@pytest.mark.slow_cases
@pytest.mark.parametrize("name", MODELS)
def test_the_text_of_a_model_is_short(name: str) -> None:
    """It names class, settings and shapes, and no parameter."""
    model = model_of(name)
    text = repr(model)
    assert text.startswith(f"{type(model).__name__}(")
    assert repr(model.config) in text
    assert repr(model.inputs) in text
    assert len(text) <= _LONGEST
    assert "array(" not in text.lower()
    for leaf in jax.tree.leaves(model):
        assert f"f32[{','.join(map(str, leaf.shape))}]" in text
