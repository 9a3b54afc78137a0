"""RangeSplit as a whole: fitted in seconds, exact laws, any body, many sources and points."""

from collections.abc import Callable
from pathlib import Path
from typing import get_args

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from magnets import KINDS, random_rows

from hypermagnetics.errors import SourceError
from hypermagnetics.models import ModelInputs, RangeSplit, Scales, load, save_model
from hypermagnetics.models.model import MU_0
from hypermagnetics.models.split import RangeSplitConfig
from hypermagnetics.models.split.fit import FitConfig
from hypermagnetics.models.split.model import BANDWIDTH, CUTOFF, SMOOTHNESS
from hypermagnetics.sources import SourceColumns, block_superposition, superposition

_WIDTH = 1.5
_FIT = FitConfig(num_sources=800, num_points=400)


def inputs_of(columns: SourceColumns) -> ModelInputs:
    """What hm-train makes of a manifest."""
    return ModelInputs(
        columns=columns,
        scales=Scales(length=_WIDTH / 3**0.5, moment=2.0, potential=0.3),
    )


def spread(columns: SourceColumns, seed: int, num: int) -> tuple[jax.Array, jax.Array]:
    """Sources and points in a box, float32 as in a dataset."""
    random = np.random.default_rng(seed)
    rows = random_rows(columns, random, num)
    rows[:, columns.dim : 2 * columns.dim] = random.uniform(-1, 1, size=(num, columns.dim))
    points = random.uniform(-_WIDTH, _WIDTH, size=(400, columns.dim))
    return jnp.asarray(rows, jnp.float32), jnp.asarray(points, jnp.float32)


def fitted(kind: SourceColumns, rank: int = 128, waves: int = 512) -> RangeSplit:
    """A small model, fitted to dipoles in the box."""
    model = RangeSplit(
        RangeSplitConfig(rank=rank, waves=waves, fit=_FIT), inputs_of(kind), jax.random.key(0)
    )
    dipoles = spread(kind, 7, 2000)[0].at[:, 2 * kind.dim :].set(0)
    # as far as the bodies of the tests reach
    dipoles = dipoles.at[:, kind.dim : 2 * kind.dim].multiply(1.7)
    return model.fitted(dipoles, spread(kind, 8, 1)[1], jax.random.key(1))


def median_errors(model: RangeSplit, sources: jax.Array, points: jax.Array) -> tuple[float, float]:
    """Of potential and field, relative."""
    exact = superposition(model.inputs.columns, sources, points)
    potential = jnp.abs(model.potential(sources, points) - exact[0]) / jnp.abs(exact[0])
    difference = jnp.linalg.norm(model.field(sources, points) - exact[1], axis=1)
    field = difference / jnp.linalg.norm(exact[1], axis=1)
    return float(jnp.median(potential)), float(jnp.median(field))


@pytest.mark.slow
@pytest.mark.parametrize(
    "name",
    [
        "disc in 2D",
        pytest.param("rectangle in 2D", marks=pytest.mark.slow),
        pytest.param("sphere in 3D", marks=pytest.mark.slow),
        pytest.param("cuboid in 3D", marks=pytest.mark.slow),
    ],
)
def test_a_fit_of_seconds_serves_all_bodies(name: str) -> None:
    """Of sizes that the fit has never seen: it knows dipoles alone."""
    kind = KINDS[name]
    errors = median_errors(fitted(kind), *spread(kind, 0, 4))
    bounds = (0.005, 0.03) if kind.dim == 2 else (0.06, 0.15)
    assert errors[0] < bounds[0]
    assert errors[1] < bounds[1]


@pytest.mark.slow
def test_more_features_are_better() -> None:
    """The floor falls with the rank, as that of the singular values does."""
    kind = KINDS["disc in 2D"]
    errors = [median_errors(fitted(kind, rank), *spread(kind, 0, 4))[1] for rank in (8, 32, 64)]
    assert errors[0] > 2 * errors[1] > 4 * errors[2]


@pytest.fixture(scope="module")
def discs() -> RangeSplit:
    """A fitted model of discs of any radius."""
    return fitted(KINDS["disc in 2D"])


def test_superposition_and_sign_are_exact(discs: RangeSplit) -> None:
    """phi(A and B) = phi(A) + phi(B) to 1e-5, phi(-m) = -phi(m) to 1e-6, in float32."""
    sources, points = spread(discs.inputs.columns, 1, 6)
    evaluate = eqx.filter_jit(discs.potential)
    whole = evaluate(sources, points)
    parts = evaluate(sources[:2], points) + evaluate(sources[2:], points)
    scale = float(jnp.abs(whole).max())
    np.testing.assert_allclose(whole, parts, rtol=0, atol=1e-5 * scale)
    opposite = evaluate(sources.at[:, :2].multiply(-1), points)
    np.testing.assert_allclose(opposite, -whole, rtol=0, atol=1e-6 * scale)
    shuffled = evaluate(sources[::-1], points)
    np.testing.assert_allclose(shuffled, whole, rtol=0, atol=1e-6 * scale)


@pytest.mark.slow
def test_errors_are_those_of_the_smooth_part(discs: RangeSplit) -> None:
    """What training sees is the error of the whole, up to the rounding of the labels."""
    columns = discs.inputs.columns
    sources, points = spread(columns, 2, 6)
    tables = sources.reshape(2, 3, -1)
    labels = block_superposition(columns, tables, jnp.array([3, 3]), points)
    errors = eqx.filter_jit(discs.errors)(tables, points, *labels)
    predicted = eqx.filter_jit(discs.block)(tables, points)
    for error, values, truth in zip(errors, predicted, labels, strict=True):
        scale = float(jnp.abs(truth).max())
        np.testing.assert_allclose(error, values - truth, rtol=0, atol=3e-6 * scale)


def test_a_file_means_the_same_whatever_later_defaults_are(
    discs: RangeSplit, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is null for "as the dimension wants it" is a number in the file."""
    sources, points = spread(discs.inputs.columns, 4, 5)
    save_model(tmp_path / "model.hm", discs, {})
    before = discs.potential(sources, points)
    for defaults in (CUTOFF, SMOOTHNESS, BANDWIDTH):
        monkeypatch.setitem(defaults, 2, 2)
    loaded = load(tmp_path / "model.hm")
    assert isinstance(loaded, RangeSplit)
    np.testing.assert_array_equal(loaded(sources, points), before)


@pytest.mark.slow
def test_many_sources_meet_many_points_by_cells(discs: RangeSplit) -> None:
    """Values that are known take cell lists; under jit all pairs, or a capacity; all the same."""
    random = np.random.default_rng(3)
    small = SourceColumns.of("disc", constants={"radius": 0.01})
    config = discs.config.model_copy(update={"cutoff": 0.2})
    inputs = inputs_of(small)
    model = RangeSplit(config, inputs, jax.random.key(0))
    rows = random.uniform(-_WIDTH, _WIDTH, size=(1500, 4))
    sources = jnp.asarray(rows, jnp.float32)
    points = jnp.asarray(random.uniform(-_WIDTH, _WIDTH, size=(1000, 2)), jnp.float32)
    capacity = model.near.count(sources, points)
    assert capacity is not None
    assert capacity < 1500
    by_cells = model.field(sources, points)
    scale = float(jnp.abs(by_cells).max())
    for settings in ({}, {"capacity": capacity}):
        under_jit = eqx.tree_at(
            lambda split: split.factors,
            RangeSplit(config.model_copy(update=settings), inputs, jax.random.key(0)),
            model.factors,
        )
        field = eqx.filter_jit(lambda model, *at: model.field(*at))(under_jit, sources, points)
        np.testing.assert_allclose(field, by_cells, rtol=0, atol=1e-5 * scale)


@pytest.mark.slow
def test_gradients_find_a_source(discs: RangeSplit) -> None:
    """Through the network and the near part, with respect to everything a row says."""
    sources, points = spread(discs.inputs.columns, 4, 2)
    target = superposition(discs.inputs.columns, sources, points)[1]

    @jax.jit
    def loss(sources: jax.Array) -> jax.Array:
        return jnp.mean((discs.field(sources, points) - target) ** 2)

    gradient = jax.grad(loss)(sources.at[0, 2].add(0.1))
    assert bool(jnp.isfinite(gradient).all())
    moved = [float(loss(sources.at[0, 2].add(step))) for step in (0.0, 0.1, 0.2)]
    assert moved[0] < 0.2 * moved[1] < 0.2 * moved[2]


def test_flux_density_is_what_the_exact_field_makes(discs: RangeSplit) -> None:
    """B = mu_0 (H + M) inside, mu_0 H outside."""
    row = jnp.array([[1.0, 2.0, 0.0, 0.0, 0.5]], jnp.float32)
    points = jnp.array([[0.1, 0.2], [1.0, 0.3]], jnp.float32)
    density = discs.flux_density(row, points)
    field = discs.field(row, points)
    inside = row[0, :2] / (np.pi * 0.25)
    np.testing.assert_allclose(density[0], MU_0 * (field[0] + inside), rtol=1e-6)
    np.testing.assert_allclose(density[1], MU_0 * field[1], rtol=1e-6)


_WRONG: dict[str, tuple[Callable[[], tuple[object, object]], str]] = {
    "columns": (lambda: (jnp.zeros((3, 4)), jnp.zeros((2, 2))), r"5 columns, .*shape \(3, 4\)"),
    "more columns": (
        lambda: (jnp.zeros((3, 6)), jnp.zeros((2, 2))),
        r"5 columns, .*shape \(3, 6\)",
    ),
    "points": (
        lambda: (jnp.zeros((3, 5)), jnp.zeros((2, 3))),
        r"\(num_points, 2\), .* got \(2, 3\)",
    ),
}


@pytest.mark.parametrize("case", _WRONG)
def test_arrays_of_other_shapes_are_refused(discs: RangeSplit, case: str) -> None:
    """With what the model reads."""
    make, message = _WRONG[case]
    with pytest.raises(SourceError, match=message):
        discs.potential(*make())  # type: ignore[arg-type]


def test_a_fit_can_be_left_out(discs: RangeSplit) -> None:
    """Then the factors stay as they were drawn."""
    assert get_args(FitConfig.model_fields["method"].annotation) == ("svd", "none")
    config = RangeSplitConfig(rank=4, waves=8, fit=FitConfig(method="none"))
    model = RangeSplit(config, discs.inputs, jax.random.key(0))
    assert model.fitted(*spread(KINDS["disc in 2D"], 1, 5), jax.random.key(1)) is model
