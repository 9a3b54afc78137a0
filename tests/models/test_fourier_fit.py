"""The fit of a Fourier series: far better, in the span of its products, repeatable."""

import equinox as eqx
import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
import pytest

from hypermagnetics.models import FourierSeries, ModelInputs, Scales, num_parameters
from hypermagnetics.models.additive import MomentAs
from hypermagnetics.models.fourier import FourierSeriesConfig
from hypermagnetics.models.fourier_fit import FourierFitConfig
from hypermagnetics.sources import SourceColumns, block_superposition

_FIT = FourierFitConfig(num_sources=2000, num_points=600, steps=500, learning_rate=1e-2)
_DISCS = SourceColumns.of("disc", constants={"radius": 1.0})
_SPHERES = SourceColumns.of("sphere", varying=["radius"])


def series_of(
    columns: SourceColumns,
    order: int = 6,
    hwidth: float = 1.0,
    moment_as: MomentAs = "input",
    fit: FourierFitConfig | None = _FIT,
    unit: float = 1.0,
) -> FourierSeries:
    """A small one, for a domain of some units and moments and potentials far from 1."""
    config = FourierSeriesConfig(order=order, hwidth=hwidth, hdepth=2, moment_as=moment_as, fit=fit)
    inputs = ModelInputs(
        columns=columns,
        scales=Scales(length=3**0.5 * unit, moment=5.0, potential=0.5 / unit ** (columns.dim - 1)),
    )
    return FourierSeries(config, hyperkey=jr.key(0), inputs=inputs)


def drawn(
    columns: SourceColumns, seed: int, num: int, unit: float = 1.0
) -> tuple[jax.Array, jax.Array]:
    """Single sources and points, float32 as in a dataset."""
    keys = jr.split(jr.key(seed), 3)
    sources = jr.normal(keys[0], (num, 2 * columns.dim), jnp.float32)
    sources *= jnp.array([5.0] * columns.dim + [unit] * columns.dim, jnp.float32)[None]
    if columns.has("radius"):
        radius = unit * jr.uniform(keys[1], (num, 1), jnp.float32, 0.8, 1.2)
        sources = jnp.concatenate([sources, radius], axis=1)
    return sources, jr.uniform(keys[2], (800, columns.dim), jnp.float32, -3 * unit, 3 * unit)


def exact(columns: SourceColumns, sources: jax.Array, points: jax.Array) -> jax.Array:
    """Potential of each source alone."""
    counts = jnp.ones(len(sources), jnp.int32)
    return block_superposition(columns, sources[:, None], counts, points)[0]


def error(model: FourierSeries, seed: int = 9, unit: float = 1.0) -> float:
    """Global relative L2 of the potential on unseen sources."""
    columns = model.inputs.columns
    sources, points = drawn(columns, seed, 200, unit)
    true = exact(columns, sources, points)
    found = eqx.filter_jit(model.block)(sources[:, None], points)[0]
    return float(jnp.linalg.norm(found - true) / jnp.linalg.norm(true))


@pytest.fixture(scope="module")
def discs() -> FourierSeries:
    """A fitted series for discs."""
    return series_of(_DISCS).fitted(*drawn(_DISCS, 1, 2000), jr.key(3))


@pytest.mark.slow
def test_unseen_sources_are_served(discs: FourierSeries) -> None:
    """Close to the best that these functions can do, which is found by least squares."""
    sources, points = drawn(_DISCS, 9, 200)
    true = np.asarray(exact(_DISCS, sources, points), np.float64)
    functions = np.asarray(eqx.filter_jit(discs.features)(points), np.float64)
    best = functions @ np.linalg.lstsq(functions, true.T, rcond=1e-4)[0]
    floor = float(np.linalg.norm(best.T - true) / np.linalg.norm(true))
    assert error(discs) < 1.5 * floor
    assert error(series_of(_DISCS)) > 5 * error(discs)


@pytest.mark.slow
def test_nothing_is_put_on_what_vanishes(discs: FourierSeries) -> None:
    """Weights of any source are orthogonal to combinations of functions that are next to zero."""
    points = drawn(_DISCS, 1, 1)[1]
    functions = np.asarray(eqx.filter_jit(discs.features)(points), np.float64)
    squares, vectors = np.linalg.eigh(functions.T @ functions)
    vanishing = vectors[:, squares < 1e-8 * squares[-1]]
    assert vanishing.shape[1] > discs.config.order
    weights = jax.vmap(lambda row: discs.weights(row[None])[0])(drawn(_DISCS, 9, 50)[0])
    along = np.linalg.norm(np.asarray(weights, np.float64) @ vanishing)
    assert along < 1e-2 * float(jnp.linalg.norm(weights))


@pytest.mark.slow
def test_a_key_decides_everything(discs: FourierSeries) -> None:
    """The same key the same bits, another key other ones."""
    data = drawn(_DISCS, 1, 2000)
    series = series_of(_DISCS)
    assert eqx.tree_equal(discs, series.fitted(*data, jr.key(3)))
    assert not eqx.tree_equal(discs, series.fitted(*data, jr.key(4)))


@pytest.mark.slow
def test_the_unit_of_length_does_not_matter(discs: FourierSeries) -> None:
    """The same domain in centimetres is the same task."""
    small = SourceColumns.of("disc", constants={"radius": 0.01})
    model = series_of(small, unit=0.01).fitted(*drawn(small, 1, 2000, 0.01), jr.key(3))
    assert error(model, unit=0.01) == pytest.approx(error(discs), rel=0.05)


@pytest.mark.slow
@pytest.mark.parametrize("moment_as", ["input", "factor"])
def test_spheres_of_any_radius_in_three_dimensions(moment_as: MomentAs) -> None:
    """Whatever the hypernetwork does with the moment."""
    series = series_of(_SPHERES, order=3, hwidth=0.3, moment_as=moment_as)
    fitted = series.fitted(*drawn(_SPHERES, 1, 2000), jr.key(3))
    assert error(fitted) < 0.95
    assert error(series) > 2 * error(fitted)


@pytest.mark.slow
def test_without_settings_nothing_is_fitted(discs: FourierSeries) -> None:
    """The defaults are the paper's; a fit changes no shape."""
    assert FourierSeriesConfig().fit is None
    series = series_of(_DISCS, fit=None)
    assert series.fitted(*drawn(_DISCS, 1, 10), jr.key(3)) is series
    assert num_parameters(discs) == num_parameters(series)
