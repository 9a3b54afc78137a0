"""WaveLayer: the longest plane waves, uncorrelated once fitted, and what they learn of labels."""

from itertools import pairwise

import equinox as eqx
import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
import pytest
from drawn_waves import drawn_waves
from jaxtyping import Float64

from hypermagnetics.errors import RecipeError
from hypermagnetics.models import (
    ModelInputs,
    Scales,
    WaveLayer,
    WaveLayerConfig,
    num_parameters,
    value_and_gradient,
)
from hypermagnetics.models.inputs import TrainedRange
from hypermagnetics.models.wave_layer import _plane_waves, _wave_numbers
from hypermagnetics.sources import SourceColumns, block_superposition, superposition

_DISCS = SourceColumns.of("disc", constants={"radius": 1.0})
_SPHERES = SourceColumns.of("sphere", varying=["radius"])
_HALF_WIDTH = 3.0


def inputs_of(columns: SourceColumns, unit: float = 1.0) -> ModelInputs:
    """Scales of a box of 6 units, as hm-train takes them."""
    scales = Scales(length=unit * _HALF_WIDTH / 3**0.5, potential=0.1 / unit ** (columns.dim - 1))
    return ModelInputs(columns=columns, scales=scales)


def examples(
    columns: SourceColumns, seed: int, num: int, unit: float = 1.0
) -> tuple[jax.Array, jax.Array]:
    """Single sources and points."""
    keys = jr.split(jr.key(seed), 3)
    sources = jr.normal(keys[0], (num, 2 * columns.dim), jnp.float32)
    sources = sources.at[:, columns.dim :].multiply(unit)
    if columns.has("radius"):
        radius = unit * jr.uniform(keys[1], (num, 1), jnp.float32, 0.8, 1.2)
        sources = jnp.concatenate([sources, radius], axis=1)
    side = unit * _HALF_WIDTH
    return sources, jr.uniform(keys[2], (900, columns.dim), jnp.float32, -side, side)


def labels(sources: jax.Array, points: jax.Array) -> Float64[np.ndarray, "sources points"]:
    """Exact potentials of discs."""
    counts = jnp.ones(len(sources), jnp.int32)
    found = block_superposition(_DISCS, sources[:, None], counts, points)[0]
    return np.asarray(found, np.float64)


def with_matrix(model: WaveLayer, matrix: np.ndarray) -> WaveLayer:
    """The model with another trained array."""
    changed: WaveLayer = eqx.tree_at(
        lambda one: one.matrix, model, jnp.asarray(matrix, jnp.float32)
    )
    return changed


def learned(model: WaveLayer, seed: int, num: int) -> WaveLayer:
    """The model whose values have the least squared errors on labels: a linear problem."""
    sources, points = examples(_DISCS, seed, num)
    features = np.asarray(model.features(points), np.float64)
    moment = np.asarray(sources[:, :2], np.float64)
    functions = np.asarray(model.source_functions(sources), np.float64)
    design = (moment[:, :, None] * functions[:, None]).reshape(len(sources), -1)
    true = labels(sources, points) / model.inputs.scales.potential
    weights = np.linalg.lstsq(features, true.T, rcond=1e-9)[0].T
    matrix = np.linalg.lstsq(design, weights, rcond=1e-9)[0]
    return with_matrix(model, matrix.reshape(model.matrix.shape))


@pytest.mark.slow_cases
@pytest.mark.parametrize(("dim", "count"), [(2, 1), (2, 2), (2, 57), (3, 100)])
def test_waves_are_orthonormal_and_the_longest(dim: int, count: int) -> None:
    """Over their period, in a mean that is exact for them."""
    axis = -1 + 2 * np.arange(32) / 32
    grid = np.stack(np.meshgrid(*[axis] * dim), axis=-1).reshape(-1, dim)
    waves = np.asarray(_plane_waves(jnp.asarray(grid), count))
    assert waves.shape == (len(grid), count)
    np.testing.assert_allclose(waves.T @ waves / len(grid), np.eye(count), atol=1e-6)
    square = np.sum(_wave_numbers(dim, count) ** 2, axis=0)
    assert all(one <= other for one, other in pairwise(square))
    # Of those that are as long as the longest left out, or longer, none is missing.
    more = np.sum(_wave_numbers(dim, 4 * count + 8) ** 2, axis=0)
    assert sorted(more.tolist())[: len(square)] == square.tolist()


@pytest.mark.slow
@pytest.mark.parametrize("columns", [_DISCS, _SPHERES], ids=["2D", "3D"])
def test_functions_are_uncorrelated_after_the_fit(columns: SourceColumns) -> None:
    """Over the sources; over the points together with their gradients; or zero, below a ridge."""
    config = WaveLayerConfig(width=61, source_width=31)
    model = WaveLayer(config, inputs_of(columns))
    sources, points = examples(columns, 1, 2000)
    fitted = model.fitted(sources, points, jr.key(0))
    values, gradient = value_and_gradient(fitted.features, points)
    moments = np.asarray(values.T @ values, np.float64)
    for slope in np.asarray(gradient, np.float64) * model.inputs.scales.length:
        moments += slope.T @ slope
    kept = np.diag(moments) > 0
    assert 10 < kept.sum() <= 61
    np.testing.assert_allclose(moments / len(points), np.diag(kept), atol=2e-3)
    functions = np.asarray(fitted.source_functions(sources), np.float64)
    moments = functions.T @ functions / len(sources)
    kept = np.diag(moments) > 0
    assert 10 < kept.sum() <= 62
    np.testing.assert_allclose(moments, np.diag(kept), atol=2e-3)


@pytest.mark.slow
def test_it_learns_from_labels_alone() -> None:
    """Sources that it has never seen, to a few per cent by 150 waves, and better by more."""
    sources, points = examples(_DISCS, 9, 200)
    true = labels(sources, points)
    errors = []
    for width in (60, 150):
        model = WaveLayer(WaveLayerConfig(width=width, source_width=width), inputs_of(_DISCS))
        fitted = model.fitted(*examples(_DISCS, 1, 2000), jr.key(0))
        trained = learned(fitted, 2, 3000)
        found = eqx.filter_jit(trained.block)(sources[:, None], points)[0]
        errors.append(float(np.linalg.norm(found - true) / np.linalg.norm(true)))
    assert errors[1] < 0.6 * errors[0]
    assert errors[1] < 0.1


@pytest.mark.slow
def test_a_new_one_gives_nothing_and_no_label_is_needed_for_its_fit() -> None:
    """The fit reads positions alone: moments do not matter."""
    model = WaveLayer(WaveLayerConfig(width=21, source_width=21), inputs_of(_DISCS))
    sources, points = examples(_DISCS, 1, 300)
    fitted = model.fitted(sources, points, jr.key(0))
    again = model.fitted(sources.at[:, :2].multiply(7.0), points, jr.key(0))
    for one, other in zip(jax.tree.leaves(fitted), jax.tree.leaves(again), strict=True):
        np.testing.assert_array_equal(one, other)
    assert not np.any(fitted(sources, points))


@pytest.mark.slow
def test_the_unit_of_length_does_not_matter() -> None:
    """Functions in a box of 6 mm are those in one of 6 m, but for a rotation among themselves."""
    found = []
    for unit in (1.0, 1e-3):
        model = drawn_waves(inputs_of(_DISCS, unit), jr.key(4), 15)
        sources, points = examples(_DISCS, 1, 300, unit)
        fitted = model.fitted(sources, points, jr.key(0))
        features, functions = fitted.features(points), fitted.source_functions(sources)
        found.append((features @ features.T, functions @ functions.T))
    for one, other in zip(*found, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-3, atol=1e-3)


def test_no_two_points_of_a_long_box_are_one() -> None:
    """The period is longer than its longest side, not than that of an even square."""
    ranges = TrainedRange(sources=((-1.0, 1.0),) * 4, points=((-3.0, 3.0), (-0.5, 0.5)))
    inputs = inputs_of(_DISCS, 0.5).model_copy(update={"trained": ranges})
    model = drawn_waves(inputs, jr.key(0), 25)
    along = jnp.stack([jnp.linspace(-3, 3, 50), jnp.zeros(50)], axis=1)
    found = np.asarray(model.features(along))
    apart = np.linalg.norm(found[:, None] - found[None], axis=-1)
    assert np.min(apart[~np.eye(50, dtype=bool)]) > 0.1


def test_only_the_matrix_is_trained() -> None:
    """Nothing else is counted, and no optimiser sees it."""
    model = WaveLayer(WaveLayerConfig(width=7, source_width=5), inputs_of(_SPHERES))
    assert num_parameters(model) == 3 * (2 * 5) * 7
    assert model.rank == 7


def test_too_many_functions_of_a_source_are_refused() -> None:
    """Cuboids have 12 features of shape; with the number that would do."""
    names = ["dimension_x", "dimension_y", "dimension_z"]
    names += ["rotation_w", "rotation_x", "rotation_y", "rotation_z"]
    cuboids = inputs_of(SourceColumns.of("cuboid", varying=names))
    with pytest.raises(RecipeError, match=r"at most 4096 .* got 440 x 13\. .* at most 315"):
        WaveLayer(WaveLayerConfig(), cuboids)
    WaveLayer(WaveLayerConfig(source_width=315, width=3), cuboids)


@pytest.mark.slow
def test_sources_and_points_outside_are_exact() -> None:
    """As of every model; without that, far sources stay finite."""
    trained = TrainedRange(
        sources=((-1.0, 1.0), (-1.0, 1.0), (-2.0, 2.0), (-2.0, 2.0)), points=((-3.0, 3.0),) * 2
    )
    inputs = inputs_of(_DISCS).model_copy(update={"trained": trained})
    model = drawn_waves(inputs, jr.key(1))
    far = jnp.array([[1.0, 0.5, 1e6, -2e6]])
    points = jnp.array([[0.5, 0.25], [-1.0, 2.0]])
    exact = superposition(_DISCS, far, points)[0]
    np.testing.assert_allclose(model(far, points), exact, rtol=1e-5)
    assert np.all(np.isfinite(model.with_outside("ignore")(far, points)))
