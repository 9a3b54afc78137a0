"""What every model must do, and the sizes of the paper's."""

from collections.abc import Callable
from functools import cache

import compiled_models as compiled
import equinox as eqx
import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
import pytest
from drawn_waves import drawn_waves

from hypermagnetics.models import (
    FourierSeries,
    HyperLayer,
    HyperMLP,
    Linear,
    Model,
    ModelInputs,
    RangeSplit,
    Scales,
    build_model,
)
from hypermagnetics.models.fourier import FourierSeriesConfig
from hypermagnetics.models.hyper_layer import HyperLayerConfig
from hypermagnetics.models.linear import LinearConfig
from hypermagnetics.models.registry import ModelConfig
from hypermagnetics.models.split import RangeSplitConfig
from hypermagnetics.sources import SourceColumns

_SCALES = Scales(length=2.0, moment=0.5, potential=0.1)


_MODELS = (
    "split",
    "fourier input",
    "fourier factor",
    "linear",
    "hyper_mlp",
    "hyper_layer factor",
    "hyper_layer input",
    "wave_layer",
)


@cache
def small_model(name: str) -> Model:
    """One of each kind, small."""
    hyperkey, mainkey = jr.split(jr.key(0))
    keys = {"hyperkey": hyperkey, "mainkey": mainkey}
    factor = HyperLayerConfig(
        width=12, depth=2, hwidth=0.5, hdepth=1, trunk_frequencies=5, source_frequencies=3
    )
    read = HyperLayerConfig(width=12, depth=2, hwidth=0.5, hdepth=1, moment_as="input")
    series = FourierSeriesConfig(order=4, hwidth=0.25, hdepth=1)
    series_factor = series.model_copy(update={"moment_as": "factor"})
    discs = SourceColumns.of("disc", constants={"radius": 1.0})
    inputs = ModelInputs(columns=discs, scales=_SCALES)
    make: dict[str, Callable[[], Model]] = {
        "split": lambda: RangeSplit(RangeSplitConfig(rank=12, waves=40), inputs, hyperkey),
        "fourier input": lambda: FourierSeries(series, inputs=inputs, hyperkey=hyperkey),
        "fourier factor": lambda: FourierSeries(series_factor, inputs=inputs, hyperkey=hyperkey),
        "linear": lambda: Linear(LinearConfig(width=12, depth=2), inputs=inputs, **keys),
        "hyper_mlp": lambda: HyperMLP(6, 2, 0.5, 1, inputs=inputs, **keys),
        "hyper_layer factor": lambda: HyperLayer(config=factor, inputs=inputs, **keys),
        "hyper_layer input": lambda: HyperLayer(config=read, inputs=inputs, **keys),
        "wave_layer": lambda: drawn_waves(inputs, hyperkey),
    }
    return make[name]()


_RANDOM = np.random.default_rng(1)
_SOURCES = jnp.asarray(_RANDOM.normal(size=(7, 3, 4)), jnp.float32)
_POINTS = jnp.asarray(_RANDOM.uniform(-3, 3, (10, 2)), jnp.float32)


@pytest.fixture(params=_MODELS, ids=str)
def model(request: pytest.FixtureRequest) -> Model:
    """Each model in turn."""
    return small_model(request.param)


def assert_close(actual: jax.Array, desired: jax.Array, tolerance: float = 1e-5) -> None:
    """Equal to a tolerance relative to the largest value."""
    scale = float(jnp.abs(desired).max())
    np.testing.assert_allclose(actual, desired, rtol=0, atol=tolerance * scale)


@pytest.mark.slow
def test_a_block_is_its_samples(model: Model) -> None:
    """The fast evaluation of a block gives what the model says of each sample."""
    potential, field = eqx.filter_jit(model.block)(_SOURCES, _POINTS)
    one_by_one = jax.jit(jax.vmap(model, in_axes=(0, None)))
    assert_close(potential, one_by_one(_SOURCES, _POINTS))
    fields = jax.jit(jax.vmap(model.field, in_axes=(0, None)))
    assert_close(field, fields(_SOURCES, _POINTS))


@pytest.mark.slow
def test_field_is_minus_the_gradient_of_the_potential(model: Model) -> None:
    """By reverse mode, point by point, as the published code does it."""
    at_point = jax.grad(lambda point: model(_SOURCES[0], point[None])[0])
    gradient = jax.jit(jax.vmap(at_point))(_POINTS)
    assert_close(eqx.filter_jit(model.field)(_SOURCES[0], _POINTS), -gradient)


@pytest.mark.slow_cases
def test_order_of_sources_does_not_matter(model: Model) -> None:
    """A permutation of the rows changes nothing but rounding."""
    assert_close(
        compiled.potential(model, _SOURCES[0][::-1], _POINTS),
        compiled.potential(model, _SOURCES[0], _POINTS),
    )


@pytest.mark.slow_cases
def test_padding_changes_nothing(model: Model) -> None:
    """Rows of zeros behind the sources, as a dataset has them."""
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
def test_gradients_of_parameters_are_finite(model: Model) -> None:
    """Also with padding rows, and at the origin."""
    sources = _SOURCES.at[:, 1].set(0)
    points = _POINTS.at[0].set(0)

    def loss(parameters: Model) -> jax.Array:
        potential, field = parameters.block(sources, points)
        return jnp.sum(potential**2) + jnp.sum(field**2)

    gradient = eqx.filter_jit(eqx.filter_grad(loss))(model)
    leaves = jax.tree.leaves(eqx.filter(gradient, eqx.is_array))
    assert all(bool(jnp.isfinite(leaf).all()) for leaf in leaves)


def test_one_trace_serves_all_values(model: Model) -> None:
    """New values of the same shape compile nothing."""

    @jax.jit
    @eqx.debug.assert_max_traces(max_traces=1)
    def evaluate(sources: jax.Array, points: jax.Array) -> jax.Array:
        return model(sources, points)

    for table in _SOURCES:
        evaluate(table, _POINTS)


@pytest.mark.slow
def test_additive_models_superpose() -> None:
    """phi(A and B) = phi(A) + phi(B) by construction for all but HyperMLP."""
    for name, model in zip(_MODELS, map(small_model, _MODELS), strict=True):
        a, b = _SOURCES[0], _SOURCES[1]
        evaluate = eqx.filter_jit(model)
        both = evaluate(jnp.concatenate([a, b]), _POINTS)
        parts = evaluate(a, _POINTS) + evaluate(b, _POINTS)
        if name == "hyper_mlp":
            assert model.rank is None
            assert float(jnp.abs(both - parts).max()) > 1e-3 * float(jnp.abs(both).max())
        else:
            assert_close(both, parts)


@pytest.mark.parametrize("name", ["hyper_layer factor", "fourier factor"])
def test_moment_as_a_factor_makes_the_potential_odd_and_linear(name: str) -> None:
    """phi(-m) = -phi(m), phi(2 m) = 2 phi(m), exactly in floating point."""
    model = small_model(name)
    for factor in (-1.0, 2.0):
        scaled = _SOURCES[0].at[:, :2].multiply(factor)
        np.testing.assert_array_equal(
            compiled.potential(model, scaled, _POINTS),
            factor * compiled.potential(model, _SOURCES[0], _POINTS),
        )


@pytest.mark.slow
@pytest.mark.parametrize(
    "config",
    [
        HyperLayerConfig(width=12, depth=2, hwidth=0.5, hdepth=1, trunk_frequencies=4),
        FourierSeriesConfig(order=4, hwidth=0.25, hdepth=1),
        LinearConfig(width=12, depth=2),
    ],
    ids=lambda config: str(config.name),
)
def test_scales_change_units_and_nothing_else(config: ModelConfig) -> None:
    """A model in metres is the same network as one in millimetres, with scales to match."""
    metres = build_model(config, ModelInputs(), jr.key(5))
    millimetres = build_model(config, ModelInputs(scales=Scales(length=1000.0)), jr.key(5))
    larger = _SOURCES[0].at[:, 2:].multiply(1000)
    assert_close(millimetres(larger, 1000 * _POINTS), metres(_SOURCES[0], _POINTS))
    assert_close(
        1000 * compiled.field(millimetres, larger, 1000 * _POINTS),
        compiled.field(metres, _SOURCES[0], _POINTS),
        1e-4,
    )


@pytest.mark.slow
def test_sizes_are_the_papers() -> None:
    """Numbers of parameters at the settings of arXiv 2405.05981, and of its code's example."""
    keys = dict(zip(("hyperkey", "mainkey"), jr.split(jr.PRNGKey(42)), strict=True))
    paper_layer = HyperLayerConfig(moment_as="input")

    def count(make: object) -> int:
        shapes = eqx.filter_eval_shape(make)
        return sum(leaf.size for leaf in jax.tree.leaves(shapes) if hasattr(leaf, "size"))

    assert count(lambda: HyperMLP(width=16, depth=3, hdepth=3, **keys)) == 1_117_515
    assert count(lambda: HyperMLP(**keys)) == 1_702_929
    assert count(lambda: HyperLayer(config=paper_layer, **keys)) == 1_450_411
    assert count(lambda: FourierSeries(hyperkey=keys["hyperkey"])) == 6_302_722
    # The trunk of HyperLayer, and 401 affine functions of moment and position.
    assert count(lambda: Linear(**keys)) == 482_400 + 401 * 5
    inference = HyperMLP(width=16, depth=3, hdepth=3, **keys).weights(_SOURCES[0])
    assert inference.shape == (609,)


@pytest.mark.slow_cases
@pytest.mark.parametrize("name", _MODELS)
def test_a_model_learns_one_sample(name: str) -> None:
    """Two hundred steps of Adam bring the loss of one sample down a hundredfold."""
    import optax

    model = small_model(name)
    truth = 0.1 * jnp.sin(_POINTS[:, 0])
    optimiser = optax.adam(1e-2)

    @eqx.filter_jit
    def step(model: Model, state: optax.OptState) -> tuple[Model, optax.OptState, jax.Array]:
        def loss(model: Model) -> jax.Array:
            return jnp.mean((model(_SOURCES[0], _POINTS) - truth) ** 2)

        value, gradient = eqx.filter_value_and_grad(loss)(model)
        updates, state = optimiser.update(gradient, state)
        return eqx.apply_updates(model, updates), state, value

    state = optimiser.init(eqx.filter(model, eqx.is_array))
    losses = []
    for _ in range(200):
        model, state, value = step(model, state)
        losses.append(float(value))
    assert losses[-1] < 0.01 * losses[0]
