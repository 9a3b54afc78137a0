"""Outside of its domain a model is exact: by values, compiled, differentiated and exported."""

from collections.abc import Callable
from functools import cache

import equinox as eqx
import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
import pytest
from exact_model import inputs_of
from jax import export
from magnets import KINDS, random_rows

from hypermagnetics.models import (
    GridSplit,
    GridSplitConfig,
    Model,
    RangeSplit,
    RangeSplitConfig,
    TrainedRange,
    build_model,
    to_jax_export,
)
from hypermagnetics.models.hyper_layer import HyperLayerConfig
from hypermagnetics.models.hyper_mlp import HyperMLPConfig
from hypermagnetics.models.split.near import reach
from hypermagnetics.sources import SourceColumns, superposition

_DISC, _CUBOID, _RECTANGLE = (
    KINDS[name] for name in ("disc in 2D", "cuboid in 3D", "rectangle in 2D")
)
_NUM_SOURCES, _NUM_POINTS = 5, 40


def trained(kind: SourceColumns) -> TrainedRange:
    """Positions and points within 1 m, sizes of 0.5 to 1.5 m, anything else."""
    ranges = {"position": (-1.0, 1.0), "radius": (0.4, 1.6), "dimension": (0.4, 1.6)}
    return TrainedRange(
        sources=tuple(ranges.get(name.partition("_")[0], (-9.0, 9.0)) for name in kind.names),
        points=((-1.0, 1.0),) * kind.dim,
    )


@cache
def model_of(name: str) -> Model:
    """Of every architecture; random factors serve as well as fitted ones."""
    kind = {"cuboids": _CUBOID, "rectangles": _RECTANGLE}.get(name.rpartition(" ")[2], _DISC)
    inputs = inputs_of(kind).model_copy(update={"trained": trained(kind)})
    grid = GridSplitConfig(accuracy=0.05)
    layer = HyperLayerConfig(width=8, depth=1, hwidth=0.5, hdepth=1, trunk_frequencies=4)
    mlp = HyperMLPConfig(width=4, depth=1, hwidth=0.5, hdepth=1)
    make: dict[str, Callable[[], Model]] = {
        "hyper_layer": lambda: build_model(layer, inputs, jr.key(0)),
        "hyper_mlp": lambda: build_model(mlp, inputs, jr.key(0)),
        "split": lambda: RangeSplit(RangeSplitConfig(rank=4, waves=8), inputs, jr.key(0)),
        "grid": lambda: GridSplit(grid, inputs).fitted_to_domain(),
        "grid of rectangles": lambda: GridSplit(grid, inputs).fitted_to_domain(),
        "grid of cuboids": lambda: GridSplit(grid, inputs).fitted_to_domain(),
    }
    return make[name]()


MODELS = [
    *("hyper_layer", "hyper_mlp", "split", "grid", "grid of rectangles"),
    pytest.param("grid of cuboids", marks=pytest.mark.slow),
]


def inner(kind: SourceColumns) -> tuple[np.ndarray, np.ndarray]:
    """Sources and points in the domain."""
    random = np.random.default_rng(0)
    rows = random_rows(kind, random, _NUM_SOURCES, ratio=2)
    rows[:, kind.dim : 2 * kind.dim] = random.uniform(-1, 1, (_NUM_SOURCES, kind.dim))
    for name in kind.names:
        if name.startswith(("radius", "dimension")):
            rows[:, kind.index(name)] = random.uniform(0.5, 1.0, _NUM_SOURCES)
    return rows, random.uniform(-1, 1, (_NUM_POINTS, kind.dim))


def far_sources(kind: SourceColumns) -> np.ndarray:
    """Two sources beside the domain, and one a million times as far; one that is too large."""
    rows = inner(kind)[0]
    rows[0, kind.dim] = 1.05
    rows[2, 2 * kind.dim - 1] = -4.0
    rows[3, kind.dim : 2 * kind.dim] *= 1e6
    for name in kind.names:
        if name.startswith(("radius", "dimension")):
            rows[4, kind.index(name)] = 5.0
    return rows


def cases(kind: SourceColumns) -> dict[str, tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Sources, points, and which pairs of both are outside."""
    rows, points = inner(kind)
    far = points * np.where(np.arange(_NUM_POINTS) % 7 == 0, 40, 1)[:, None]
    far[3] = 1e6
    far_at = (np.abs(far) > 1.003).any(axis=1)
    is_far = np.array([True, False, True, True, True])
    return {
        "points": (rows, far, np.broadcast_to(far_at, (_NUM_SOURCES, _NUM_POINTS))),
        "sources": (far_sources(kind), points, np.repeat(is_far[:, None], _NUM_POINTS, axis=1)),
        "both": (far_sources(kind), far, is_far[:, None] | far_at),
    }


def expected(
    model: Model, rows: np.ndarray, points: np.ndarray, is_far: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Exact values of pairs that are outside, those of the model for the others."""
    free = model.with_outside("ignore")
    columns = model.inputs.columns
    within = [i for i in range(len(rows)) if not is_far[i].all()]
    far_at = is_far.all(axis=0)
    inside = points[~far_at]
    potential, field = (np.array(each) for each in superposition(columns, rows, points))
    outer = [
        np.asarray(each) for each in superposition(columns, np.delete(rows, within, 0), inside)
    ]
    potential[~far_at] = outer[0] + free.potential(rows[within], inside)
    field[~far_at] = outer[1] + free.field(rows[within], inside)
    return potential, field


def assert_close(found: jax.Array, wanted: np.ndarray, tolerance: float = 1e-9) -> None:
    """Equal to rounding, at each point."""
    size = np.abs(wanted) if wanted.ndim == 1 else np.linalg.norm(wanted, axis=1, keepdims=True)
    scale = np.maximum(size, 1e-6 * size.max())
    assert np.isfinite(np.asarray(found)).all()
    assert np.max(np.abs(np.asarray(found) - wanted) / scale) < tolerance


@pytest.mark.slow
@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("case", ["points", "sources", "both"])
def test_outside_values_are_exact(name: str, case: str) -> None:
    """Called with values, compiled without them, for one sample and in a block."""
    model = model_of(name)
    kind = model.inputs.columns
    rows, points, is_far = cases(kind)[case]
    potential, field = expected(model, rows, points, is_far)
    assert_close(model.potential(rows, points), potential)
    assert_close(model.field(rows, points), field)
    assert_close(eqx.filter_jit(model.potential)(rows, points), potential)
    several = np.stack([inner(kind)[0], rows])
    block = eqx.filter_jit(model.block)(several, points)
    assert_close(block[0][1], potential)
    assert_close(block[1][1], field, 3e-6)  # a RangeSplit multiplies its parameters in float32
    assert_close(jax.vmap(model.potential, (0, None))(jnp.asarray(several), points)[1], potential)


@pytest.mark.parametrize("batch", ["samples", "points"])
def test_a_batch_with_nothing_outside_passes_the_exact_values_over(batch: str) -> None:
    """Under `jax.vmap`, over source tables or over sets of points: a condition stays one."""
    model, (rows, points) = model_of("grid"), inner(_DISC)
    if batch == "samples":
        axes, rows = (0, None), np.stack([rows, rows])
    else:
        axes, points = (None, 0), np.stack([points, points])
    program = jax.make_jaxpr(jax.vmap(model.potential, axes))(rows, points)
    whole = jax.make_jaxpr(jax.vmap(model.with_outside("ignore").potential, axes))(rows, points)
    assert str(program).count(" cond[") > str(whole).count(" cond[") == 0


@pytest.mark.slow
@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("case", ["points", "sources"])
def test_outside_values_are_exact_in_float32(name: str, case: str) -> None:
    """To its rounding, beside the exact sum in float64; a million times as far away too."""
    model = model_of(name)
    rows, points, is_far = cases(model.inputs.columns)[case]
    if case == "points":
        points = points[is_far.all(axis=0)]
    else:
        rows = rows[[0, 2, 3]]  # those whose position is outside
    rows, points = rows.astype(np.float32), points.astype(np.float32)
    wide = rows.astype(np.float64), points.astype(np.float64)
    each = [superposition(model.inputs.columns, row[None], wide[1]) for row in wide[0]]
    with jax.enable_x64(False):
        found = [
            model.potential_and_field(rows, points),
            eqx.filter_jit(model.potential_and_field)(rows, points),
            tuple(values[1] for values in model.block(np.stack([0 * rows, rows]), points)),
        ]
    for kind in (0, 1):
        parts = np.stack([np.asarray(values[kind]).reshape(len(points), -1) for values in each])
        scale = np.linalg.norm(parts, axis=2).sum(axis=0)[:, None]
        assert scale.min() > np.finfo(np.float32).tiny
        for values in found:
            assert values[kind].dtype == np.float32
            off = np.asarray(values[kind]).reshape(len(points), -1) - parts.sum(axis=0)
            assert np.max(np.abs(off) / scale) < 1e-5


@pytest.mark.slow
@pytest.mark.parametrize(
    "name",
    ["hyper_layer", "grid", pytest.param("grid of rectangles", marks=pytest.mark.slow)],
)
@pytest.mark.parametrize(("floats", "tolerance"), [("float64", 1e-9), ("float32", 1e-4)])
def test_outside_derivatives_are_exact(name: str, floats: str, tolerance: float) -> None:
    """By points and sources, called with values and compiled without them, at 1e6 m too."""
    model = model_of(name)
    rows, points, is_far = cases(model.inputs.columns)["both"]
    rows, points, far = rows.astype(floats), points.astype(floats), is_far.all(axis=0)
    assert (np.abs(points[far]) > 1e5).any()

    def total(rows: jax.Array, at: jax.Array) -> jax.Array:
        return jnp.sum(jnp.sin(model.potential(rows, at)[far]))

    def exact(rows: jax.Array, at: jax.Array) -> jax.Array:
        return jnp.sum(jnp.sin(superposition(model.inputs.columns, rows, at)[0][far]))

    wide = rows.astype(np.float64), points.astype(np.float64)
    wanted = [np.asarray(each) for each in jax.jit(jax.grad(exact, (0, 1)))(*wide)]
    sizes = [np.linalg.norm(each, axis=1, keepdims=True) for each in wanted]
    assert sizes[1][far].min() > np.finfo(floats).tiny
    for gradient in (jax.grad(total, (0, 1)), jax.jit(jax.grad(total, (0, 1)))):
        with jax.enable_x64(floats == "float64"):
            of_rows, of_points = map(np.asarray, gradient(rows, points))
        assert of_rows.dtype == of_points.dtype == floats
        # No weight hides a NaN, so that points inside have none either.
        assert np.isfinite(of_rows).all()
        assert np.isfinite(of_points).all()
        assert not of_points[~far].any()
        for found, true, size in zip(
            (of_rows, of_points[far]),
            (wanted[0], wanted[1][far]),
            (sizes[0], sizes[1][far]),
            strict=True,
        ):
            assert np.max(np.abs(found - true) / size) < tolerance


@pytest.mark.slow
@pytest.mark.parametrize("name", ["hyper_layer", "grid of rectangles"])
def test_an_export_is_exact_outside_too(name: str) -> None:
    """Of any numbers of sources and points."""
    model = model_of(name)
    rows, points, _ = cases(model.inputs.columns)["both"]
    called = export.deserialize(bytearray(to_jax_export(model, "field")))
    rows, points = rows.astype(np.float32), points.astype(np.float32)
    with jax.enable_x64(False):
        found = called.call(jnp.asarray(rows), jnp.asarray(points))
    assert_close(found, np.asarray(model.field(rows, points)), 1e-3)


@pytest.mark.slow
def test_memory_stays_bounded() -> None:
    """Many sources and points outside need no array of their pairs, nor do their derivatives."""
    model = model_of("hyper_layer")
    rows = jax.ShapeDtypeStruct((1 << 10, model.inputs.columns.size), jnp.float32)
    points = jax.ShapeDtypeStruct((1 << 14, 2), jnp.float32)

    def total(rows: jax.Array, points: jax.Array) -> jax.Array:
        return jnp.sum(model.field(rows, points))

    compiled = jax.jit(jax.grad(total)).lower(rows, points).compile()
    assert compiled.memory_analysis().temp_size_in_bytes < 300e6  # all pairs once take 67 MB


def test_nothing_outside_needs_no_other_program() -> None:
    """Values that are inside are looked at, and the program of before serves them."""
    model = model_of("hyper_layer")
    rows, points = inner(model.inputs.columns)
    assert model.program_guard(rows, points) == "none"
    assert model.program_guard(rows, 2 * points) == "exact"
    np.testing.assert_array_equal(
        model.potential(rows, points), model.with_outside("ignore").potential(rows, points)
    )


@pytest.mark.parametrize("name", ["hyper_layer", "split", "grid of rectangles"])
def test_exact_pairs_are_near_or_outside(name: str) -> None:
    """Each counts once, and padding never."""
    model = model_of(name)
    kind = model.inputs.columns
    rows, points, is_far = cases(kind)["both"]
    wanted = is_far.copy()
    if model.near is not None:
        offset = np.linalg.norm(points - rows[:, None, kind.dim : 2 * kind.dim], axis=-1)
        wanted |= offset < np.asarray(reach(kind, model.near.smoothing, jnp.asarray(rows)))[:, None]
    padded = jnp.asarray(np.concatenate([rows, np.zeros_like(rows)]))
    counts = jax.jit(model.exact_points)(padded, jnp.asarray(points))
    np.testing.assert_array_equal(counts, [*wanted.sum(axis=1), *[0] * len(rows)])
