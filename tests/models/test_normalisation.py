"""Normalisations are undone exactly, wherever a model is evaluated."""

import json
from functools import cache
from pathlib import Path

import compiled_models as compiled
import equinox as eqx
import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
import pytest
from jax import export
from mending import edit_header
from refused import refused

from hypermagnetics.errors import ExtensionError, RecipeError
from hypermagnetics.evaluate.subjects.jax_model import JaxModel
from hypermagnetics.models import (
    HyperMLP,
    Model,
    ModelInputs,
    Scales,
    build_model,
    load,
    save_model,
    to_jax_export,
)
from hypermagnetics.models.hyper_layer import HyperLayerConfig
from hypermagnetics.models.hyper_mlp import HyperMLPConfig
from hypermagnetics.models.inputs import MomentUnit, ValuesAs
from hypermagnetics.models.linear import LinearConfig
from hypermagnetics.models.normalisation import physical
from hypermagnetics.models.registry import ModelConfig
from hypermagnetics.models.split import RangeSplitConfig
from hypermagnetics.models.steps import SOURCES_PER_STEP
from hypermagnetics.sources import SourceColumns

_SCALES = Scales(length=2.0, moment=0.5, potential=0.1)
_DISCS = SourceColumns.of("disc", constants={"radius": 1.0})
_MLP = HyperMLPConfig(width=6, depth=2, hwidth=0.5, hdepth=1)
_LAYER = HyperLayerConfig(width=12, depth=2, hwidth=0.5, hdepth=1, moment_as="input")
_SPLIT = RangeSplitConfig(rank=12, waves=40)
_RANDOM = np.random.default_rng(1)
_SOURCES = jnp.asarray(_RANDOM.normal(size=(4, 3, 4)), jnp.float32)
_POINTS = jnp.asarray(_RANDOM.uniform(-3, 3, (10, 2)), jnp.float32)


@cache
def model_of(config: ModelConfig, values: ValuesAs, moment: MomentUnit) -> Model:
    """A model of discs with fresh parameters."""
    inputs = ModelInputs(columns=_DISCS, scales=_SCALES, values=values, moment=moment)
    return build_model(config, inputs, jr.key(3))


_MODELS: dict[str, tuple[ModelConfig, ValuesAs, MomentUnit]] = {
    "both": (_MLP, "asinh", "sample"),
    "asinh": (_MLP, "asinh", "dataset"),
    "sample": (_MLP, "linear", "sample"),
    "additive sample": (_LAYER, "linear", "sample"),
    "split sample": (_SPLIT, "linear", "sample"),
}

_HOMOGENEOUS = [name for name in _MODELS if "sample" in name or name == "both"]
_EVERY = pytest.mark.parametrize("name", _MODELS)


def assert_close(actual: jax.Array, desired: jax.Array, tolerance: float = 1e-5) -> None:
    """Equal to a tolerance relative to the largest value."""
    np.testing.assert_allclose(
        actual, desired, rtol=0, atol=tolerance * float(np.abs(desired).max())
    )


@pytest.mark.slow
@_EVERY
def test_block_and_program_say_what_the_model_says(name: str) -> None:
    """And `errors` is the block minus labels."""
    model = model_of(*_MODELS[name])
    expected = (
        jax.jit(jax.vmap(model, in_axes=(0, None)))(_SOURCES, _POINTS),
        jax.jit(jax.vmap(model.field, in_axes=(0, None)))(_SOURCES, _POINTS),
    )
    tables, points = (np.asarray(values, np.float32) for values in (_SOURCES, _POINTS))
    found = JaxModel(model).predict(tables, points, 6)
    errors = eqx.filter_jit(model.errors)(_SOURCES, _POINTS, *expected)
    for value, true, error in zip(found, expected, errors, strict=True):
        assert_close(value, true)
        if name != "split sample":  # whose targets are not the labels
            assert float(jnp.abs(error).max()) < 1e-5 * float(jnp.abs(true).max())


@pytest.mark.slow_cases
@_EVERY
def test_field_is_minus_the_gradient_of_the_potential(name: str) -> None:
    """By reverse mode through the undoing."""
    model = model_of(*_MODELS[name])
    at_point = jax.grad(lambda point: model(_SOURCES[0], point[None])[0])
    gradient = jax.jit(jax.vmap(at_point))(_POINTS)
    assert_close(compiled.field(model, _SOURCES[0], _POINTS), -gradient)


def test_asinh_is_undone_by_its_inverse() -> None:
    """The potential is scale sinh(u), and H = cosh(u) times the field of scale u."""
    model, plain = model_of(*_MODELS["asinh"]), model_of(_MLP, "linear", "dataset")
    table = _SOURCES[0, :1]
    value = compiled.potential(plain, table, _POINTS) / _SCALES.potential
    assert 1e-2 < float(jnp.abs(value).max()) < 12
    assert_close(compiled.potential(model, table, _POINTS), _SCALES.potential * jnp.sinh(value))
    field = jnp.cosh(value)[:, None] * compiled.field(plain, table, _POINTS)
    assert_close(compiled.field(model, table, _POINTS), field)


@pytest.mark.slow
def test_asinh_goes_on_along_its_tangent() -> None:
    """Finite for any value, one to one, with a continuous slope that the field is multiplied by."""
    inputs = ModelInputs(values="asinh", scales=_SCALES)
    values = jnp.array([-1e6, -12.1, -12.0, -11.9, -0.3, 0.0, 1.0, 11.9, 12.1, 88.0, 1e6])

    def potential(value: jax.Array) -> jax.Array:
        scaled = (_SCALES.potential * value)[None]
        return physical(inputs, jnp.ones(()), scaled, jnp.zeros((1, 2)))[0][0]

    found = jax.vmap(potential)(values)
    bent = np.clip(values, -12, 12)
    true = _SCALES.potential * (np.sinh(bent) + np.cosh(bent) * (values - bent))
    np.testing.assert_allclose(found, true, rtol=1e-12)
    assert (np.diff(found) > 0).all()
    field = physical(inputs, jnp.ones(()), _SCALES.potential * values, jnp.ones((len(values), 2)))[
        1
    ]
    slope = jax.vmap(jax.grad(potential))(values) / _SCALES.potential
    np.testing.assert_allclose(field, np.stack([slope, slope], axis=-1), rtol=1e-12)


@pytest.mark.parametrize("name", _HOMOGENEOUS)
@pytest.mark.parametrize("exponent", [-90, -1, 1, 60])
def test_a_unit_of_each_sample_makes_a_model_homogeneous(name: str, exponent: int) -> None:
    """phi(c m) = c phi(m), even where squares of moments overflow."""
    model, factor = model_of(*_MODELS[name]), 2.0**exponent
    scaled = _SOURCES[0].at[:, :2].multiply(factor)
    assert_close(
        compiled.potential(model, scaled, _POINTS),
        factor * compiled.potential(model, _SOURCES[0], _POINTS),
        1e-6,
    )
    assert_close(
        compiled.field(model, scaled, _POINTS),
        factor * compiled.field(model, _SOURCES[0], _POINTS),
        1e-6,
    )


def test_the_network_reads_moments_of_one_size() -> None:
    """A configuration of the scale of moments is read as it is."""
    plain, model = model_of(_MLP, "linear", "dataset"), model_of(*_MODELS["sample"])
    moments = _SOURCES[0, :, :2]
    rms = jnp.sqrt(jnp.mean(moments**2))
    table = _SOURCES[0].at[:, :2].multiply(_SCALES.moment / rms)
    assert_close(
        compiled.potential(model, table, _POINTS), compiled.potential(plain, table, _POINTS)
    )
    assert_close(
        compiled.potential(model, _SOURCES[0], _POINTS),
        rms / _SCALES.moment * compiled.potential(plain, table, _POINTS),
    )


@pytest.mark.slow_cases
@_EVERY
def test_padding_changes_nothing(name: str) -> None:
    """Rows of zeros are no sources, so they do not count in the mean."""
    model = model_of(*_MODELS[name])
    padded = jnp.concatenate([_SOURCES[0], jnp.zeros((4, 4), jnp.float32)])
    assert_close(
        compiled.potential(model, padded, _POINTS),
        compiled.potential(model, _SOURCES[0], _POINTS),
        1e-6,
    )
    assert_close(
        compiled.field(model, padded, _POINTS), compiled.field(model, _SOURCES[0], _POINTS), 1e-6
    )


@pytest.mark.slow
def test_the_unit_is_that_of_all_rows() -> None:
    """Also where they are read a few at a time."""
    model = model_of(*_MODELS["both"])
    many = jr.normal(jr.key(5), (SOURCES_PER_STEP + 5, 4), jnp.float32) * 1e-3
    many = many.at[:5, :2].multiply(1000)
    potential, field = eqx.filter_jit(model.block)(many[None], _POINTS)
    assert_close(compiled.potential(model, many, _POINTS), potential[0], 1e-4)
    assert_close(compiled.field(model, many, _POINTS), field[0], 1e-4)


@pytest.mark.slow
@_EVERY
@pytest.mark.parametrize("rows", [0, 3])
def test_no_sources_have_no_potential(name: str, rows: int) -> None:
    """Exactly zero, with finite derivatives by sources, points and parameters."""
    model, empty = model_of(*_MODELS[name]), jnp.zeros((rows, 4), jnp.float32)
    assert not np.asarray(compiled.potential(model, empty, _POINTS)).any()
    assert not np.asarray(compiled.field(model, empty, _POINTS)).any()

    @eqx.filter_jit
    @eqx.filter_grad
    def gradient(arguments: tuple[Model, jax.Array, jax.Array]) -> jax.Array:
        model, sources, points = arguments
        return jnp.sum(model(sources, points)) + jnp.sum(model.field(sources, points) ** 2)

    found = gradient((model, empty, _POINTS))
    leaves = jax.tree.leaves(eqx.filter(found, eqx.is_array))
    assert all(bool(jnp.isfinite(leaf).all()) for leaf in leaves)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["both", "split sample"])
def test_derivatives_by_moments_are_those_of_differences(name: str) -> None:
    """Through the unit, which every moment of the configuration has a share in."""
    model = jax.tree.map(
        lambda a: a.astype(np.float64) if eqx.is_inexact_array(a) else a, model_of(*_MODELS[name])
    )
    table, points = _SOURCES[0].astype(np.float64), _POINTS.astype(np.float64)
    total = jax.jit(lambda sources: jnp.sum(model(sources, points)))
    gradient = jax.grad(total)(table)
    step = 1e-5
    for place in ((0, 0), (2, 1), (1, 2)):
        ahead, behind = (total(table.at[place].add(sign * step)) for sign in (1, -1))
        assert float(gradient[place]) == pytest.approx(
            float((ahead - behind) / (2 * step)), rel=1e-4
        )


@pytest.mark.slow
def test_an_exported_model_undoes_it_too() -> None:
    """Plain JAX says the same."""
    model = model_of(*_MODELS["both"])
    for quantity in ("potential", "field"):
        function = export.deserialize(bytearray(to_jax_export(model, quantity)))
        expected = getattr(model, quantity)(_SOURCES[0], _POINTS)
        assert_close(jax.jit(function.call)(_SOURCES[0], _POINTS), expected)


def test_a_model_file_keeps_it(tmp_path: Path) -> None:
    """In its first line; files from before have neither key."""
    model, path = model_of(*_MODELS["both"]), tmp_path / "model.hm"
    save_model(path, model, {})
    again = load(path)
    assert again.inputs == model.inputs
    np.testing.assert_array_equal(
        compiled.potential(again, _SOURCES[0], _POINTS),
        compiled.potential(model, _SOURCES[0], _POINTS),
    )
    inputs = json.loads(path.read_bytes().partition(b"\n")[0])["inputs"]
    assert (inputs.pop("values"), inputs.pop("moment")) == ("asinh", "sample")
    edit_header(path, inputs=inputs)
    old = load(path)
    assert (old.inputs.values, old.inputs.moment) == ("linear", "dataset")


@pytest.mark.parametrize("config", [_LAYER, _SPLIT, LinearConfig(width=4)], ids=lambda c: c.name)
def test_asinh_does_not_break_what_superposes_by_construction(config: ModelConfig) -> None:
    """It is refused, with the reason."""
    reason = r"values must be 'linear' .* additive over sources, as sinh of a sum is no sum of sinh"
    with pytest.raises(RecipeError, match=reason):
        model_of(config, "asinh", "dataset")


def test_a_split_in_its_own_unit_superposes() -> None:
    """What is linear in the moments is not changed by a unit."""
    a, b = _SOURCES[0], _SOURCES[1].at[:, :2].multiply(100)
    model, plain = model_of(*_MODELS["split sample"]), model_of(_SPLIT, "linear", "dataset")
    both = jnp.concatenate([a, b])
    assert_close(
        compiled.potential(model, both, _POINTS),
        compiled.potential(model, a, _POINTS) + compiled.potential(model, b, _POINTS),
    )
    assert_close(compiled.potential(model, both, _POINTS), compiled.potential(plain, both, _POINTS))


@pytest.mark.parametrize("name", ["block", "errors", "field", "learned_block", "targets"])
def test_what_undoes_it_is_final(name: str) -> None:
    """A class that defines it again, itself or by a mixin, would not be normalised there."""
    own = {name: lambda self, sources, points: None}
    with refused(ExtensionError, f":Own, which defines {name}. Define", "evaluate_block"):
        type("Own", (HyperMLP,), own)
    with refused(ExtensionError, f":Mixed, which defines {name}. Define"):
        type("Mixed", (type("Mixin", (), own), HyperMLP), {})
