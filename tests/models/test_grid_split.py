"""GridSplit: the accuracy asked for is delivered, exact laws hold, and no dataset is needed."""

import math
from functools import cache, partial
from pathlib import Path
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.special
from hypothesis import given, settings
from hypothesis import strategies as st
from jax import export
from magnets import KINDS, random_rows, rows_of
from pydantic import TypeAdapter, ValidationError

from hypermagnetics.errors import RecipeError
from hypermagnetics.models import (
    GridSplit,
    GridSplitConfig,
    ModelInputs,
    RangeSplitConfig,
    load,
    save_model,
    split_of_domain,
    to_jax_export,
)
from hypermagnetics.models.registry import ModelConfig
from hypermagnetics.models.split.density import (
    KaiserBesselDensity,
    PowerDensity,
    share_polynomial,
)
from hypermagnetics.models.split.displacements import Displacements, Waves
from hypermagnetics.models.split.fourier_series import fourier_series
from hypermagnetics.models.split.grid_fit import chosen, fit
from hypermagnetics.models.split.grid_settings import inputs_of_domain
from hypermagnetics.models.split.kernel import radial, smooth_charge
from hypermagnetics.models.split.near import smooth_superposition
from hypermagnetics.sources import SourceColumns, superposition

_HALF = 1.5


@cache
def model_of(name: str, accuracy: float) -> GridSplit:
    """A model of bodies of any size and rotation."""
    return split_of_domain(KINDS[name], _HALF, accuracy)


def spread(columns: SourceColumns, num: int, extent: float) -> tuple[np.ndarray, np.ndarray]:
    """Bodies of some size and points in the domain, in float32."""
    random = np.random.default_rng(num)
    rows = random_rows(columns, random, num)
    rows[:, columns.dim : 2 * columns.dim] = random.uniform(-_HALF, _HALF, (num, columns.dim))
    for name in columns.names:
        if name.startswith(("radius", "dimension")):
            rows[:, columns.index(name)] = random.uniform(0.3, 1.0, num) * extent
    points = random.uniform(-_HALF, _HALF, (400, columns.dim))
    return rows.astype(np.float32), points.astype(np.float32)


def l2_error(found: Any, true: Any) -> float:
    """Root mean square of the error over that of the truth."""
    return float(jnp.sqrt(jnp.sum((found - true) ** 2) / jnp.sum(true**2)))


@pytest.mark.parametrize("dim", [2, 3])
@pytest.mark.parametrize("density", [PowerDensity(3), KaiserBesselDensity(9.0)], ids=repr)
def test_the_share_within_a_distance_is_the_integral_of_the_density(
    dim: int, density: PowerDensity | KaiserBesselDensity
) -> None:
    """By quadrature; no coefficient is negative, and all of it is within the ball."""
    coefficients = np.array(share_polynomial(density, dim))
    assert coefficients[0] == 1
    assert (coefficients >= 0).all()
    nodes, weights = np.polynomial.legendre.leggauss(80)

    def within(x: float) -> float:
        s = 0.5 * x * (nodes + 1)
        if isinstance(density, PowerDensity):
            values = (1 - s**2) ** density.power
        else:
            values = scipy.special.i0(density.shape * np.sqrt(1 - s**2))
        return float(0.5 * x * (weights * values * s ** (dim - 1)).sum())

    for x in (0.1, 0.5, 0.9):
        share = x**dim * np.polynomial.polynomial.polyval(1 - x * x, coefficients)
        assert share == pytest.approx(within(x) / within(1.0), rel=1e-13)


def test_densities_of_equal_numbers_are_not_equal() -> None:
    """What is kept by them, as a fit, is not that of the other."""
    assert PowerDensity(6) != KaiserBesselDensity(6.0)
    assert share_polynomial(PowerDensity(6), 2) != share_polynomial(KaiserBesselDensity(6.0), 2)


@pytest.mark.parametrize("dim", [2, 3])
def test_the_error_falls_with_the_bandwidth(dim: int) -> None:
    """As exp(-bandwidth), where the period leaves room."""
    region = Displacements((1.0,) * dim, 0.5)
    errors = []
    for bandwidth in (6.0, 8.0, 10.0):
        waves = Waves((2 + 12 / bandwidth,) * dim, bandwidth)
        errors.append(fit(region, KaiserBesselDensity(bandwidth), waves).error)
    for wider, narrower in zip(errors[1:], errors[:-1], strict=True):
        assert math.exp(-2.8) < wider / narrower < math.exp(-1.4)


@pytest.mark.parametrize("dim", [2, 3])
def test_a_longer_period_serves_both_ends(dim: int) -> None:
    """Without a gap behind the largest displacements the sum cannot be right there."""
    region = Displacements((1.0,) * dim, 0.5)
    errors = [
        fit(region, KaiserBesselDensity(10.0), Waves((2 + gap * 0.05,) * dim, 10.0)).error
        for gap in (4, 9, 14)
    ]
    assert errors[0] > 4 * errors[1] > 12 * errors[2]


@pytest.mark.parametrize("dim", [2, 3])
def test_a_charge_has_the_potential_that_a_dipole_differentiates(dim: int) -> None:
    """G falls by d g, inside the ball and beyond, where it is that of a point."""
    density, cutoff = KaiserBesselDensity(9.0), 0.7
    distance = np.array([0.1, 0.4, 0.69, 0.71, 1.5])
    step = 1e-6
    before, after = (
        smooth_charge((distance + shift) ** 2, dim, cutoff, density) for shift in (-step, step)
    )
    factor, _ = radial(distance**2, dim, cutoff, density)
    np.testing.assert_allclose((after - before) / (2 * step), -distance * factor, rtol=1e-7)
    point = -np.log(1.5) / (2 * np.pi) if dim == 2 else 1 / (4 * np.pi * 1.5)
    found = smooth_charge(np.array([1.5**2]), dim, cutoff, density)
    assert found[0] == pytest.approx(point, rel=1e-14)


@pytest.mark.parametrize("widths", [(1.0, 1.0), (1.0, 0.3), (1.0, 1.0, 1.0)], ids=str)
def test_a_series_is_as_good_as_a_fit_with_hardly_more_waves(widths: tuple[float, ...]) -> None:
    """In boxes of any sides; of its own period and bandwidth, both chosen for it."""
    region, bandwidth = Displacements(widths, 0.45), 10.0
    waves = Waves(tuple(2 * width + 2 * region.cutoff for width in widths), bandwidth)
    density = KaiserBesselDensity(bandwidth)
    series, fitted = fourier_series(region, density, waves), fit(region, density, waves)
    assert series.coefficients.shape == fitted.coefficients.shape
    assert fitted.error < series.error < 12 * fitted.error
    assert series.error < 80 * math.exp(-bandwidth)


@pytest.mark.parametrize("dim", [2, 3])
def test_many_waves_have_the_accuracy_asked_for(dim: int) -> None:
    """Of cutoffs for which a least squares would have too many unknowns."""
    region = Displacements((1.0,) * dim, {2: 0.03, 3: 0.12}[dim])
    waves = chosen(region, KaiserBesselDensity, 1e-3, 1 << 25)
    found = fit(region, KaiserBesselDensity(waves.bandwidth), waves)
    assert found.coefficients.size > 10_000
    assert 1e-4 < found.error <= 1e-3


def made_of(
    name: str, box: tuple[tuple[float, float], ...], cutoff: float, accuracy: float
) -> GridSplit:
    """A model of settings as of a recipe; the cutoff is in length scales."""
    config = GridSplitConfig(domain=box, cutoff=cutoff, accuracy=accuracy)
    return GridSplit(config, inputs_of_domain(KINDS[name], config)).fitted_to_domain()


def smooth_error(model: GridSplit, random: np.random.Generator) -> float:
    """Error of the waves alone, in the metric of `Fit.error`: that which the accuracy is of.

    Sources of a moment along each axis stand in a corner of the domain, so that displacements are
    even in all that it allows, up to signs, which change nothing.
    """
    columns, box = model.inputs.columns, np.array(model.domain.points)
    corner = box[range(model.dim), random.integers(2, size=model.dim)]
    tiny = 1e-6 * model.smoothing.cutoff
    rows = rows_of(
        columns,
        moment=np.eye(model.dim),
        position=corner,
        radius=tiny,
        dimension=np.full(model.dim, tiny),
    )
    points = random.uniform(*box.T, (4000, model.dim))
    found = eqx.filter_jit(model.learned_block)(rows[:, None], points)
    smooth = partial(smooth_superposition, columns, model.smoothing)
    true = jax.jit(jax.vmap(smooth, (0, None)))(rows[:, None], points)
    return max(l2_error(*pair) for pair in zip(found, true, strict=True))


def whole_errors(model: GridSplit, random: np.random.Generator) -> list[float]:
    """Errors of potential and field of bodies and points anywhere in the domain.

    Bodies are as wide as the ball of the smoothing, or less, as the model was made without any.
    """
    columns, dim, box = model.inputs.columns, model.dim, np.array(model.domain.points)
    rows = random_rows(columns, random, 6)
    rows[:, dim : 2 * dim] = random.uniform(*box.T, (6, dim))
    largest = min(model.smoothing.cutoff, *dict(model.domain.radii).values())
    for name in columns.names:
        if name.startswith(("radius", "dimension")):
            rows[:, columns.index(name)] = random.uniform(0.1, 1, 6) * largest
    points = random.uniform(*box.T, (1000, dim))
    assert not model.domain.leaves(columns, rows, points)
    found = model.potential_and_field(rows, points)
    true = superposition(columns, rows, points)
    return [l2_error(*pair) for pair in zip(found, true, strict=True)]


def test_the_accuracy_asked_for_is_that_of_the_waves() -> None:
    """At displacements that no fit has seen."""
    model = made_of("disc in 2D", ((-1.0, 2.0), (0.0, 2.0)), 0.8, 1e-3)
    error = smooth_error(model, np.random.default_rng(1))
    assert 1e-4 < error <= 1e-3


@st.composite
def made(draw: st.DrawFn) -> tuple[str, tuple[tuple[float, float], ...], float, float]:
    """Body, domain, cutoff and accuracy; lengths of micrometres to kilometres."""
    dim = draw(st.sampled_from([2, 3]))
    name = draw(st.sampled_from({2: ["disc", "rectangle"], 3: ["sphere", "cuboid"]}[dim]))
    unit = 10 ** draw(st.floats(-6, 3))
    axis = st.tuples(st.floats(-2, 2), st.floats(0.5, 2.0))
    box = tuple(
        ((middle - half) * unit, (middle + half) * unit)
        for middle, half in draw(st.lists(axis, min_size=dim, max_size=dim))
    )
    cutoff = draw({2: st.floats(0.5, 1.5), 3: st.floats(0.9, 2.0)}[dim])
    digits = draw({2: st.floats(1.3, 4.5), 3: st.floats(1.3, 3.0)}[dim])
    return f"{name} in {dim}D", box, cutoff, 10**-digits


@pytest.mark.slow
@settings(max_examples=12, deadline=None, derandomize=True)
@given(made=made(), seed=st.integers(0, 2**32 - 1))
def test_the_accuracy_asked_for_is_delivered(
    made: tuple[str, tuple[tuple[float, float], ...], float, float], seed: int
) -> None:
    """By the waves alone and by whole values, with bodies and points that were not fitted."""
    model, random = made_of(*made), np.random.default_rng(seed)
    *_, accuracy = made
    assert smooth_error(model, random) <= accuracy
    assert max(whole_errors(model, random)) <= accuracy


@pytest.mark.slow
@pytest.mark.parametrize("name", ["disc in 2D", "rectangle in 2D", "sphere in 3D", "cuboid in 3D"])
@pytest.mark.parametrize("accuracy", [0.03, pytest.param(3e-4, marks=pytest.mark.slow)])
def test_whole_values_are_as_accurate(name: str, accuracy: float) -> None:
    """With bodies as large as the model says that it serves, and larger ones."""
    model = model_of(name, accuracy)
    assert model.fit_error <= accuracy
    (largest,) = dict(model.domain.radii).values()
    for size in (0.5 * largest, 3 * largest):
        sources, points = spread(model.inputs.columns, 6, size)
        true = superposition(model.inputs.columns, sources, points)
        found = model.potential_and_field(sources, points)
        assert l2_error(found[0], true[0]) < accuracy
        assert l2_error(found[1], true[1]) < accuracy


@pytest.mark.slow
@pytest.mark.parametrize("name", ["disc in 2D", "rectangle in 2D", "sphere in 3D", "cuboid in 3D"])
@pytest.mark.parametrize(("floats", "rounding"), [("float32", 1e-6), ("float64", 1e-14)])
def test_laws_hold_to_rounding(name: str, floats: str, rounding: float) -> None:
    """Linear in moments, superposition, order and padding, of potential and field."""
    model = model_of(name, 0.03)
    sources, points = (each.astype(floats) for each in spread(model.inputs.columns, 6, 0.3))
    evaluate = eqx.filter_jit(model.potential_and_field)
    whole = evaluate(sources, points)

    def assert_whole(*terms: tuple[float, tuple[jax.Array, jax.Array]]) -> None:
        for kind, values in enumerate(whole):
            total = sum(factor * both[kind] for factor, both in terms)
            atol = rounding * float(jnp.abs(values).max())
            np.testing.assert_allclose(total, values, rtol=0, atol=atol)

    def times(factor: float) -> np.ndarray:
        moments = sources[:, : model.dim] * np.asarray(factor, floats)
        return np.concatenate([moments, sources[:, model.dim :]], axis=1)

    for factor in (2, -1, 0.3):
        assert_whole((1 / factor, evaluate(times(factor), points)))
    first = np.arange(len(sources))[:, None] < 2
    parts = [evaluate(np.where(some, sources, 0), points) for some in (first, ~first)]
    assert_whole(*((1, part) for part in parts))
    assert_whole((1, evaluate(sources[::-1], points)))
    assert_whole((1, evaluate(np.concatenate([sources, np.zeros_like(sources)]), points)))
    turned = sources.copy()
    turned[:, : model.dim] = np.roll(sources[:, : model.dim], 1, axis=1)
    both = times(0.3)
    both[:, : model.dim] += turned[:, : model.dim]
    added = [a - b for a, b in zip(*(evaluate(x, points) for x in (both, turned)), strict=True)]
    assert_whole((1 / 0.3, (added[0], added[1])))


@pytest.mark.slow
@pytest.mark.parametrize("name", ["disc in 2D", "rectangle in 2D", "sphere in 3D", "cuboid in 3D"])
def test_the_field_is_the_gradient_of_the_potential(name: str) -> None:
    """By `jax.grad`, in float64."""
    model = model_of(name, 0.03)
    sources, points = (
        jnp.asarray(each, jnp.float64) for each in spread(model.inputs.columns, 6, 0.3)
    )
    gradient = jax.jit(jax.grad(lambda at: model.potential(sources, at).sum()))(points)
    field = jax.jit(model.field)(sources, points)
    scale = float(jnp.abs(field).max())
    np.testing.assert_allclose(field, -gradient, rtol=1e-9, atol=1e-12 * scale)


@pytest.mark.slow
def test_a_block_and_one_sample_agree() -> None:
    """Samples that share their points are evaluated some at a time."""
    model = model_of("disc in 2D", 0.03)
    tables = np.stack([spread(model.inputs.columns, num, 0.3)[0][:3] for num in (3, 4, 5)])
    points = spread(model.inputs.columns, 3, 0.3)[1]
    block = eqx.filter_jit(model.block)(tables, points)
    for number, table in enumerate(tables):
        for values, own in zip(block, (model.potential, model.field), strict=True):
            expected = own(table, points)
            atol = 3e-6 * float(jnp.abs(expected).max())
            np.testing.assert_allclose(values[number], expected, rtol=0, atol=atol)


@pytest.mark.slow
def test_a_file_and_an_export_give_the_same(tmp_path: Path) -> None:
    """A file means the same whatever later defaults are: nothing in it is left open."""
    model = model_of("disc in 2D", 0.03)
    sources, points = spread(model.inputs.columns, 4, 0.3)
    save_model(tmp_path / "model.hm", model, {})
    read = load(tmp_path / "model.hm")
    assert isinstance(read, GridSplit)
    assert None not in {read.config.accuracy, read.config.cutoff, read.config.period}
    assert read.domain == model.domain
    expected = model.potential(sources, points)
    np.testing.assert_array_equal(read.potential(sources, points), expected)
    with jax.enable_x64(False):
        called = export.deserialize(bytearray(to_jax_export(read, "potential")))
        found = called.call(jnp.asarray(sources), jnp.asarray(points))
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-5 * float(jnp.abs(expected).max()))


def test_steps_can_follow_the_fit() -> None:
    """Its coefficients are parameters, and at a minimum."""
    model = model_of("disc in 2D", 0.03)
    sources, points = spread(model.inputs.columns, 4, 0.3)
    tables = jnp.asarray(sources)[:, None]
    labels = superposition(model.inputs.columns, sources[:1], points)

    def loss(model: GridSplit) -> jax.Array:
        errors = model.errors(tables[:1], points, labels[0][None], labels[1][None])
        return jnp.mean(errors[0] ** 2)

    gradient = eqx.filter_jit(eqx.filter_grad(loss))(model)
    (leaf,) = jax.tree.leaves(eqx.filter(gradient, eqx.is_inexact_array))
    assert leaf.shape == model.waves.coefficients.shape
    assert bool(jnp.isfinite(leaf).all())
    assert float(jnp.abs(leaf).max()) > 0


CONFIGS: dict[str, tuple[dict[str, Any], type]] = {
    "the name alone": ({"name": "split"}, GridSplitConfig),
    "grid": ({"name": "split", "factors": "grid", "accuracy": 1e-4}, GridSplitConfig),
    "trained": ({"name": "split", "factors": "trained"}, RangeSplitConfig),
    "of an earlier release": (
        {"name": "split", "rank": 4, "waves": 8, "cutoff": 1.0, "smoothness": 4, "bandwidth": 9.0},
        RangeSplitConfig,
    ),
}


@pytest.mark.parametrize(("table", "kind"), CONFIGS.values(), ids=CONFIGS)
def test_the_factors_choose_the_model(table: dict[str, Any], kind: type) -> None:
    """Settings of trained factors, as earlier recipes and files have them, still mean those."""
    adapter = TypeAdapter(ModelConfig)
    assert type(adapter.validate_python(table)) is kind
    assert type(adapter.validate_python(adapter.validate_python(table))) is kind


def test_misspelt_factors_are_refused() -> None:
    with pytest.raises(ValidationError, match="trained"):
        TypeAdapter(ModelConfig).validate_python({"name": "split", "factors": "gird"})


def test_an_accuracy_beyond_a_density_is_refused() -> None:
    """The spectrum of one with a kink falls too slowly."""
    with pytest.raises(RecipeError, match=r"waves can reach; got 0\.0001, and .* Ask for less"):
        chosen(Displacements((1.0, 1.0), 1.0), lambda _: PowerDensity(1), 1e-4, 1 << 20)


REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "no domain": ({}, "must have a domain; got none"),
    "one axis too few": ({"domain": ((-1.0, 1.0),)}, "a range for each of the 2 axes; got 1"),
    "a period too short": (
        {"domain": 1.0, "bandwidth": 9.0, "period": (3.0, 3.0)},
        r"exceeds twice the largest displacement .*; got 3, 3\. Leave out model\.period",
    ),
    "a period too many": (
        {"domain": 1.0, "bandwidth": 9.0, "period": (9.0, 9.0, 9.0)},
        "a period for each axis.*; got 9, 9, 9",
    ),
    "half of the waves": ({"domain": 1.0, "bandwidth": 9.0}, "must be given together"),
    "too many waves": (
        {"domain": 1.0, "accuracy": 1e-5, "cutoff": 0.0005},
        r"at most 16777216 waves; got \d+ .* Ask for less accuracy, or a larger cutoff\.",
    ),
    "too many products": (
        {"domain": 1.0, "accuracy": 1e-3, "cutoff": 0.02, "transform": "products"},
        r'at most 262144 waves; got .* larger cutoff, or for transform "nufft"\.',
    ),
}


@pytest.mark.parametrize(("settings_of", "said"), REFUSED.values(), ids=REFUSED)
def test_what_cannot_be_is_refused(settings_of: dict[str, Any], said: str) -> None:
    """In one sentence that says what to do."""
    inputs = ModelInputs(columns=KINDS["disc in 2D"])
    with pytest.raises(RecipeError, match=said):
        GridSplit(GridSplitConfig(**settings_of), inputs)
