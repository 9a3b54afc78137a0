"""Networks from arrays to arrays: physical values in and out, exact derivatives, files."""

from pathlib import Path
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
import pytest
from pydantic import ValidationError
from small_networks import INPUTS, NETWORK

import hypermagnetics
from hypermagnetics.config import Config
from hypermagnetics.errors import ExtensionError, InputError, ModelFileError, RecipeError
from hypermagnetics.models import (
    MLP,
    ArrayInputs,
    ArrayModel,
    ArrayScales,
    MLPConfig,
    load_of_sources,
    num_parameters,
    save_model,
)
from hypermagnetics.models.card import array_card
from hypermagnetics.models.user import UserModelConfig, check_user_array_model, class_name

VALUES = np.random.default_rng(1).normal(size=(6, 3))


class OffsetConfig(Config):
    """One number."""

    factor: float = 1.0


class Offset(ArrayModel):
    """The mean of the inputs times an array."""

    rates: jax.Array
    config: OffsetConfig = eqx.field(static=True)
    inputs: ArrayInputs = eqx.field(static=True)

    def __init__(self, inputs: ArrayInputs, key: jax.Array, factor: float = 1.0) -> None:
        self.config, self.inputs = OffsetConfig(factor=factor), inputs
        self.rates = factor * jr.normal(key, inputs.target.shape, jnp.float32)

    def apply(self, values: jax.Array) -> jax.Array:
        """The mean times the array."""
        return jnp.mean(values) * self.rates


class Flat(Offset):
    """Of another shape than the targets."""

    def apply(self, values: jax.Array) -> jax.Array:
        """In a row."""
        return jnp.mean(values) * self.rates.ravel()


def test_the_formula_is_that_of_an_mlp_of_scaled_values() -> None:
    scaled = (VALUES - [1.0, 0.0, -2.0]) / [2.0, 0.5, 1.0]
    x = jnp.asarray(scaled, jnp.float32)
    for weight, bias in NETWORK.layers[:-1]:
        x = jax.nn.gelu(x @ weight + bias[None])
    weight, bias = NETWORK.layers[-1]
    wanted = 3.0 * (x @ weight + bias[None]).reshape(-1, 2, 2) + 0.3
    np.testing.assert_allclose(NETWORK(VALUES.astype(np.float32)), wanted, rtol=1e-5, atol=1e-6)
    assert num_parameters(NETWORK) == 3 * 8 + 8 + 8 * 8 + 8 + 8 * 4 + 4


@pytest.mark.slow
@pytest.mark.parametrize("shape", [(3,), (1, 3), (2, 3, 3), (0, 3)])
def test_further_axes_stay_where_they_are(shape: tuple[int, ...]) -> None:
    values = np.resize(VALUES, shape)
    found, slopes = NETWORK(values), NETWORK.jacobian(values)
    assert found.shape == (*shape[:-1], 2, 2)
    assert slopes.shape == (*shape[:-1], 2, 2, 3)
    if values.size:
        flat = values.reshape(-1, 3)
        np.testing.assert_allclose(found.reshape(-1, 2, 2)[0], NETWORK(flat[0]), rtol=1e-6)


@pytest.mark.slow
def test_derivatives_are_those_of_the_function() -> None:
    """Against differences in float64, in physical units."""
    with jax.enable_x64(True):
        found, change = NETWORK.jacobian(VALUES), np.random.default_rng(2).normal(size=(6, 3))
        for i in range(3):
            step = 1e-6 * np.eye(3)[i]
            difference = (NETWORK(VALUES + step) - NETWORK(VALUES - step)) / 2e-6
            np.testing.assert_allclose(found[..., i], difference, rtol=1e-5, atol=1e-7)
        along = NETWORK.derivative(VALUES, change)
        wanted = np.einsum("nabi,ni->nab", found, change)
        np.testing.assert_allclose(along, wanted, rtol=1e-5, atol=1e-6)


@pytest.mark.slow
def test_fewer_targets_than_inputs_give_the_same_kind_of_jacobian() -> None:
    """In reverse mode."""
    narrow = INPUTS.model_copy(update={"target": ArrayScales(name="targets", shape=(2,))})
    network = MLP(MLPConfig(width=4, depth=1, activation="tanh"), narrow, jr.key(1))
    forward = jax.vmap(jax.jacfwd(network))(jnp.asarray(VALUES, jnp.float32))
    np.testing.assert_allclose(network.jacobian(VALUES), forward, rtol=1e-5, atol=1e-6)


@pytest.mark.slow
def test_it_is_a_function_for_all_transformations() -> None:
    values = jnp.asarray(VALUES, jnp.float32)
    plain = NETWORK(values)
    np.testing.assert_allclose(jax.jit(NETWORK)(values), plain, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(jax.vmap(NETWORK)(values), plain, rtol=1e-5, atol=1e-6)
    gradient = jax.grad(lambda at: jnp.sum(NETWORK(at)))(values)
    wanted = jnp.sum(NETWORK.jacobian(values), axis=(1, 2))
    np.testing.assert_allclose(gradient, wanted, rtol=1e-4, atol=1e-5)


def test_what_a_derivative_cannot_take_is_refused() -> None:
    """Changes of another shape, and complex numbers, of which JAX would drop a part."""
    inputs = jnp.zeros((2, 3), jnp.float32)
    for changes in (jnp.zeros((3, 3)), jnp.zeros(3)):
        with pytest.raises(InputError, match=r"the shape of the inputs, \[2, 3\]; got \[3"):
            NETWORK.derivative(inputs, changes)
    for call in (NETWORK, NETWORK.jacobian):
        with pytest.raises(InputError, match=r"Inputs must be real numbers; got complex"):
            call(inputs + 1j)


@pytest.mark.parametrize("values", [np.zeros(4), np.zeros((3, 2)), 1.0, [[1.0, 2.0]]])
def test_another_shape_is_refused_with_the_right_one(values: Any) -> None:
    with pytest.raises(InputError, match=r"Inputs must have shape \[3\], or further axes"):
        NETWORK(values)


@pytest.mark.slow
def test_whole_numbers_and_lists_are_taken() -> None:
    np.testing.assert_allclose(NETWORK([[1, 2, 3]]), NETWORK(np.array([[1.0, 2.0, 3.0]])))
    np.testing.assert_allclose(NETWORK(jnp.array([[1, 2, 3]])), NETWORK([[1, 2, 3]]), rtol=1e-6)


def test_a_file_gives_the_same_network(tmp_path: Path) -> None:
    save_model(tmp_path / "model.hm", NETWORK, {"step": 3})
    loaded = hypermagnetics.load(tmp_path / "model.hm")
    assert eqx.tree_equal(loaded, NETWORK)
    assert isinstance(loaded, MLP)
    assert loaded.inputs == INPUTS
    first = (tmp_path / "model.hm").read_bytes()
    save_model(tmp_path / "again.hm", loaded, {"step": 3})
    assert (tmp_path / "again.hm").read_bytes() == first


def test_a_model_of_sources_is_asked_for_in_a_sentence(tmp_path: Path) -> None:
    save_model(tmp_path / "model.hm", NETWORK, {})
    with pytest.raises(ModelFileError, match=r"must be one of sources.*from inputs to targets"):
        load_of_sources(tmp_path / "model.hm")


def test_a_class_of_a_user_is_checked_and_kept(tmp_path: Path) -> None:
    config = UserModelConfig(name=class_name(Offset), settings={"factor": 2.0})
    check_user_array_model(Offset, config, INPUTS)
    network = Offset(inputs=INPUTS, key=jr.key(3), factor=2.0)
    save_model(tmp_path / "model.hm", network, {})
    loaded = hypermagnetics.load(tmp_path / "model.hm", user_model=Offset)
    assert eqx.tree_equal(loaded, network)
    with pytest.raises(ModelFileError, match="must be read with its class"):
        hypermagnetics.load(tmp_path / "model.hm")


def test_a_class_of_another_shape_is_refused() -> None:
    config = UserModelConfig(name=class_name(Flat))
    with pytest.raises(ExtensionError, match=r"apply of .*Flat must give .* of shape \(2, 2\)"):
        check_user_array_model(Flat, config, INPUTS)


def test_calls_are_not_overridden() -> None:
    with pytest.raises(ExtensionError, match="which defines __call__"):

        class _Own(Offset):
            def __call__(self, inputs: Any) -> Any:
                return inputs


def test_outputs_are_those_of_the_targets() -> None:
    with pytest.raises(RecipeError, match="outputs must be 4"):
        MLP(MLPConfig(outputs=3), INPUTS, jr.key(0))


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"scale": (1.0,)}, "have 3 numbers"),
        ({"channel_axis": 1}, "an axis of the shape"),
        ({"ranges": ((0.0, 1.0),)}, "of 3 channels"),
        ({"scale": (1.0, 0.0, 1.0)}, "greater than 0"),
    ],
)
def test_scales_agree_with_the_shape(changes: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        ArrayScales.model_validate(INPUTS.input.model_dump() | changes)


def test_the_card_names_both_arrays() -> None:
    text = array_card(NETWORK)
    assert "| inputs | 3 |  | not known |" in text
    assert "| targets | 2 x 2 |" in text
