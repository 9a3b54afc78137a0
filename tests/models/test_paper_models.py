"""What sets the Fourier series and the linear control apart, in two and three dimensions."""

import equinox as eqx
import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
import pytest

from hypermagnetics.models import FourierSeries, Linear, Model, ModelInputs, Scales
from hypermagnetics.models.fourier import FourierSeriesConfig
from hypermagnetics.models.linear import LinearConfig
from hypermagnetics.sources import SourceColumns

_PAPER_LENGTH = float(np.sqrt(3.0))
"""Root mean square of coordinates that are even in [-3, 3] m."""


def series_of(dim: int, order: int, length: float = _PAPER_LENGTH) -> FourierSeries:
    """A small one."""
    return FourierSeries(
        FourierSeriesConfig(order=order, hwidth=0.25, hdepth=1),
        hyperkey=jr.key(0),
        inputs=ModelInputs(
            columns=SourceColumns.of("dipole", dim=dim), scales=Scales(length=length)
        ),
    )


def linear_of(dim: int) -> Linear:
    """A small one that also reads a radius."""
    return Linear(
        LinearConfig(width=16, depth=1),
        hyperkey=jr.key(0),
        mainkey=jr.key(1),
        inputs=ModelInputs(
            columns=SourceColumns.of("disc" if dim == 2 else "sphere", varying=["radius"])
        ),
    )


@pytest.mark.slow
def test_wave_numbers_are_the_published_ones_on_the_papers_grid() -> None:
    """0 and 10**linspace(-2.5, 1.1, order - 1) rad/m; half as large on a grid twice as large."""
    expected = np.concatenate([[0.0], 10 ** np.linspace(-2.5, 1.1, 31)])
    np.testing.assert_allclose(series_of(2, 32).wave_numbers, expected, rtol=2e-6)
    larger = series_of(2, 32, 2 * _PAPER_LENGTH)
    np.testing.assert_allclose(larger.wave_numbers, expected / 2, rtol=2e-6)


@pytest.mark.slow_cases
@pytest.mark.parametrize(("dim", "order", "number"), [(2, 3, 36), (3, 2, 64)])
def test_features_are_all_products(dim: int, order: int, number: int) -> None:
    """One function by another, one cosine or sine for each axis."""
    model = series_of(dim, order)
    points = jr.uniform(jr.key(1), (5, dim), jnp.float32, -3, 3)
    waves = np.asarray(model.wave_numbers)
    functions = [lambda x, k=k: np.cos(k * x) for k in waves]
    functions += [lambda x, k=k: np.sin(k * x) for k in waves]
    x = np.asarray(points)
    expected = np.stack(
        [
            np.prod([functions[i](x[:, axis]) for axis, i in enumerate(index)], axis=0)
            for index in np.ndindex(*[len(functions)] * dim)
        ],
        axis=-1,
    )
    features = eqx.filter_jit(model.features)(points)
    assert features.shape == (5, number)
    assert model.rank == number
    np.testing.assert_allclose(features, expected, atol=1e-6)


@pytest.mark.slow
@pytest.mark.parametrize("model", [series_of(3, 2), linear_of(3)], ids=["fourier", "linear"])
def test_a_block_in_three_dimensions(model: Model) -> None:
    """The samples of a block, and the field is minus the gradient."""
    # In single precision the bound is that of rounding, which depends on how XLA compiles.
    model = jax.tree.map(lambda a: a.astype(np.float64) if eqx.is_inexact_array(a) else a, model)
    sources = jr.normal(jr.key(2), (4, 3, model.inputs.columns.size))
    points = jr.uniform(jr.key(3), (6, 3), minval=-3, maxval=3)
    potential, field = eqx.filter_jit(model.block)(sources, points)

    @jax.jit
    def slowly(table: jax.Array) -> tuple[jax.Array, jax.Array]:
        at_point = jax.grad(lambda point: model(table, point[None])[0])
        return model(table, points), -jax.vmap(at_point)(points)

    for i, table in enumerate(sources):
        expected = slowly(table)
        np.testing.assert_allclose(potential[i], expected[0], atol=1e-12)
        np.testing.assert_allclose(field[i], expected[1], atol=1e-12)


def test_the_exponents_are_trained() -> None:
    """Both ends of the range of wave numbers have a gradient."""
    model = series_of(2, 4)
    sources = jr.normal(jr.key(2), (3, 2, 4), jnp.float32)
    points = jr.uniform(jr.key(3), (6, 2), jnp.float32, -3, 3)

    @eqx.filter_jit
    @eqx.filter_grad
    def gradient_of(model: FourierSeries) -> jax.Array:
        potential, field = model.block(sources, points)
        return jnp.sum(potential**2) + jnp.sum(field**2)

    gradient = gradient_of(model).exponents
    assert bool(jnp.all(jnp.isfinite(gradient) & (gradient != 0)))


@pytest.mark.slow
@pytest.mark.parametrize("dim", [2, 3])
def test_the_control_is_affine_in_a_source(dim: int) -> None:
    """Half way between two sources phi is the mean of theirs, and there are no more dimensions."""
    bias = jr.normal(jr.key(6), (17,), jnp.float32)  # zero at first
    model = eqx.tree_at(lambda m: m.hypernetwork.layers[-1].bias, linear_of(dim), bias)
    tables = jr.normal(jr.key(4), (40, 1, model.inputs.columns.size), jnp.float32)
    tables = tables.at[..., 2 * dim :].set(jnp.abs(tables[..., 2 * dim :]))  # sizes
    points = jr.uniform(jr.key(5), (40, dim), jnp.float32, -3, 3)
    evaluate = jax.jit(jax.vmap(model, in_axes=(0, None)))
    potential = evaluate(tables, points)
    middle = evaluate((tables[1:] + tables[:-1]) / 2, points)
    np.testing.assert_allclose(middle, (potential[1:] + potential[:-1]) / 2, atol=1e-5)
    assert model.rank == 2 * dim + 2
    assert int(np.linalg.matrix_rank(np.asarray(potential), tol=1e-3)) == model.rank
