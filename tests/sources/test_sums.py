"""Sums over sources as a GPU makes them: the same values, no loops, bounded memory."""

import re
from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
import pytest
from exact_model import inputs_of
from jax.extend.core import jaxprs_in_params
from lowered import lowered_for_cuda
from magnets import KINDS, random_rows
from shipped_models import MODELS, model_of

from hypermagnetics.models import RangeSplit
from hypermagnetics.models.split import RangeSplitConfig
from hypermagnetics.sources import (
    SourceColumns,
    block_superposition,
    magnetisation,
    sums,
    superposition,
)
from hypermagnetics.sources.kinds.ball import BallKind
from hypermagnetics.sources.kinds.box import BoxKind
from hypermagnetics.sources.sums import sums_for, sums_platform

_DISC, _CUBOID = KINDS["disc in 2D"], KINDS["cuboid in 3D"]
BODIES = {"disc": _DISC, "cuboid": _CUBOID}
TILES = {"disc": BallKind.pairs_per_tile, "cuboid": 4 * BoxKind.pairs_per_tile}
"""The most numbers in an array; of a cuboid's pairs XLA makes arrays, of some parts together."""
Function = Callable[..., Any]


def arguments(
    columns: SourceColumns, num_sources: int, num_points: int
) -> tuple[jax.Array, jax.Array]:
    """A source table and points, in float32."""
    random = np.random.default_rng(0)
    rows = random_rows(columns, random, num_sources)
    points = random.uniform(-3, 3, (num_points, columns.dim))
    return jnp.asarray(rows, jnp.float32), jnp.asarray(points, jnp.float32)


def split(columns: SourceColumns, capacity: int | None = None) -> RangeSplit:
    """Of drawn parameters."""
    config = RangeSplitConfig(rank=4, waves=8, nodes=2, capacity=capacity)
    return RangeSplit(config, inputs_of(columns), jr.key(2))


def block(function: Function) -> Function:
    """Of two samples, the second with three times the moment of the first source along x."""
    return lambda table, points: function(jnp.stack([table, table.at[0, 0].multiply(3)]), points)


def targets(model: RangeSplit, tables: jax.Array, points: jax.Array) -> tuple[jax.Array, ...]:
    """What its network learns, whatever the labels are."""
    labels = jnp.zeros((len(tables), len(points)), jnp.float32)
    vectors = jnp.zeros((*labels.shape, points.shape[1]), jnp.float32)
    return model.near.targets(tables, points, labels, vectors)


def functions(columns: SourceColumns) -> dict[str, Function]:
    """All that is summed over sources."""
    model = split(columns)
    counts = jnp.array([5, 3])
    return {
        "superposition": lambda *given: superposition(columns, *given),
        "some sources": lambda rows, at: superposition(columns, rows, at, 3),
        "block": lambda rows, at: block_superposition(columns, jnp.stack([rows, rows]), counts, at),
        "magnetisation": lambda *given: magnetisation(columns, *given),
        "split": lambda *given: (model.potential(*given), model.field(*given)),
        "split block": block(model.block),
        "targets": block(partial(targets, model)),
        "cells": lambda rows, at: model.near.values(rows, at, 8),
    }


def size(values: Any) -> jax.Array:
    """A number that depends on all values."""
    return jnp.asarray(sum(jnp.sum(jnp.sin(leaf)) for leaf in jax.tree.leaves(values)))


def assert_close(found: Any, expected: Any, within: float) -> None:
    """In relative L2."""
    for one, other in zip(jax.tree.leaves(found), jax.tree.leaves(expected), strict=True):
        assert np.linalg.norm(one - other) <= within * np.linalg.norm(other)


@pytest.fixture
def small_tiles(monkeypatch: pytest.MonkeyPatch) -> None:
    """So small that every sum takes several, the last of them not full."""
    monkeypatch.setattr(sums, "_POINTS_PER_TILE", 4)
    for name in ("models.split.near", "models.near_part", "models.split.neighbours"):
        monkeypatch.setattr(f"hypermagnetics.{name}.PAIRS_PER_TILE", 12)
    monkeypatch.setattr("hypermagnetics.sources.geometry.PAIRS_PER_TILE", 12)
    for kind in (BallKind, BoxKind):
        monkeypatch.setattr(kind, "pairs_per_tile", 12)


@pytest.mark.slow
@pytest.mark.usefixtures("small_tiles")
@pytest.mark.parametrize("name", functions(_DISC))
def test_values_are_those_of_a_cpu(name: str) -> None:
    """To one rounding, whichever way they are summed."""
    given = arguments(_DISC, 5, 7)
    function = functions(_DISC)[name]
    expected = jax.jit(function)(*given)
    with sums_for("gpu"):
        found = jax.jit(function)(*given)
    assert_close(found, expected, 1e-6)


@pytest.mark.slow
@pytest.mark.usefixtures("small_tiles")
@pytest.mark.parametrize("name", functions(_CUBOID))
def test_values_of_boxes_are_those_of_a_cpu(name: str) -> None:
    """Turned ones, each represented by eight dipoles in the smooth part."""
    given = arguments(_CUBOID, 5, 7)
    function = functions(_CUBOID)[name]
    expected = jax.jit(function)(*given)
    with sums_for("gpu"):
        found = jax.jit(function)(*given)
    assert_close(found, expected, 3e-6)


@pytest.mark.slow
@pytest.mark.usefixtures("small_tiles")
@pytest.mark.parametrize("body", BODIES)
@pytest.mark.parametrize("name", ["superposition", "magnetisation"])
def test_values_in_float64_are_those_of_a_cpu(name: str, body: str) -> None:
    """To its rounding."""
    given = [jnp.asarray(each, jnp.float64) for each in arguments(BODIES[body], 5, 7)]
    function = functions(BODIES[body])[name]
    expected = jax.jit(function)(*given)
    with sums_for("gpu"):
        found = jax.jit(function)(*given)
    assert jax.tree.leaves(found)[0].dtype == jnp.float64
    assert_close(found, expected, 1e-14)


@pytest.mark.slow
@pytest.mark.usefixtures("small_tiles")
@pytest.mark.parametrize(
    ("name", "columns"),
    [
        ("superposition", _DISC),
        ("superposition", KINDS["rectangle in 2D"]),
        ("split", _DISC),
        ("cells", _DISC),
    ],
    ids=["superposition of discs", "superposition of rectangles", "split", "cells"],
)
def test_derivatives_are_those_of_a_cpu(name: str, columns: SourceColumns) -> None:
    """By sources and by points, in reverse mode."""
    given = arguments(columns, 5, 7)
    slopes = jax.grad(lambda *given: size(functions(columns)[name](*given)), argnums=(0, 1))
    expected = jax.jit(slopes)(*given)
    with sums_for("gpu"):
        found = jax.jit(slopes)(*given)
    assert_close(found, expected, 2e-5)


def largest(program: str) -> int:
    """Numbers in the largest array of a program."""
    shapes = re.findall(r"tensor<((?:\d+x)+)[fi]\d+>", program)
    return max(int(np.prod([int(size) for size in shape.split("x")[:-1]])) for shape in shapes)


def steps_of_loops(function: Function, *given: jax.Array) -> int:
    """Steps of all loops of a function as a GPU makes it, those inside others multiplied."""
    with sums_for("gpu"):
        return _steps(jax.make_jaxpr(function)(*given).jaxpr)


def _steps(jaxpr: Any) -> int:
    steps = 0
    for equation in jaxpr.eqns:
        assert equation.primitive.name != "while", "its steps are not known"
        inner = sum(_steps(each) for each in jaxprs_in_params(equation.params))
        length = equation.params["length"] if equation.primitive.name == "scan" else 0
        steps += length * max(inner, 1) if length else inner
    return steps


@pytest.mark.slow_cases
@pytest.mark.parametrize("body", BODIES)
@pytest.mark.parametrize("name", ["superposition", "block", "magnetisation", "targets"])
def test_nothing_is_looped_over_below_a_tile(name: str, body: str) -> None:
    """One fused reduction, however many sources or points; of the dipoles of a box, some each."""
    few, many = (
        steps_of_loops(functions(BODIES[body])[name], *arguments(BODIES[body], *sizes))
        for sizes in ((6, 20), (300, 2000))
    )
    assert few == many
    if (name, body) != ("targets", "cuboid"):
        assert many == 0


@pytest.mark.parametrize("body", BODIES)
def test_a_split_of_many_sources_takes_few_steps(body: str) -> None:
    """Each is some ten kernels of microseconds, whatever its size."""
    columns = BODIES[body]
    inputs = inputs_of(columns).model_copy(update={"outside": "ignore"})
    model = RangeSplit(RangeSplitConfig(rank=4, waves=8, nodes=2, capacity=64), inputs, jr.key(2))
    given = jnp.ones((100_000, columns.size)), jnp.ones((100_000, columns.dim))
    # Sources, points, and tiles of neighbours; in each of these 17 halvings find a cell, and a box
    # is eight dipoles.
    expected = {"disc": 13 + 7 + 2 * 17, "cuboid": 49 + 7 + 13 * (17 + 7)}
    assert steps_of_loops(model.field, *given) == expected[body]


@pytest.mark.slow_cases
@pytest.mark.parametrize("name", MODELS)
def test_a_model_predicts_a_block_without_loops(name: str) -> None:
    """Near parts, too."""
    tables, points = jnp.ones((100, 10, 4)), jnp.ones((1000, 2))
    with sums_for("gpu"):
        program = lowered_for_cuda(model_of(name).block, tables, points)
    assert "stablehlo.while" not in program


@pytest.mark.parametrize("sizes", [(100_000, 1000), (1000, 100_000)], ids=["sources", "points"])
def test_no_array_of_a_split_grows_with_pairs(sizes: tuple[int, int]) -> None:
    """Of 10^8 pairs those of a tile are in memory."""
    given = jnp.ones((sizes[0], 4)), jnp.ones((sizes[1], 2))
    with sums_for("gpu"):
        program = lowered_for_cuda(model_of("range_split").field, *given)
    assert largest(program) <= sums.PAIRS_PER_TILE


@pytest.mark.slow_cases
@pytest.mark.parametrize("sizes", [(100_000, 1000), (1000, 100_000)], ids=["sources", "points"])
@pytest.mark.parametrize("slopes", [False, True], ids=["values", "derivatives"])
@pytest.mark.parametrize("body", BODIES)
def test_no_array_grows_with_pairs(sizes: tuple[int, int], slopes: bool, body: str) -> None:
    """A hundred times the sources or the points: the largest array is that of a tile."""
    num_sources, num_points = sizes
    columns = BODIES[body]
    given = jnp.ones((num_sources, columns.size)), jnp.ones((num_points, columns.dim))

    def values(*given: jax.Array) -> jax.Array:
        return size(superposition(columns, *given))

    with sums_for("gpu"):
        program = lowered_for_cuda(jax.grad(values, argnums=(0, 1)) if slopes else values, *given)
    assert largest(program) <= max(TILES[body], 20 * max(sizes))


@pytest.mark.slow
@pytest.mark.parametrize("name", ["magnetisation", "cells"])
@pytest.mark.parametrize("body", BODIES)
def test_no_other_array_grows_with_pairs(name: str, body: str) -> None:
    """Neither of magnetisations nor of neighbours."""
    columns = BODIES[body]
    for sizes in (100_000, 1000), (1000, 100_000):
        given = jnp.ones((sizes[0], columns.size)), jnp.ones((sizes[1], columns.dim))
        with sums_for("gpu"):
            traced = jax.make_jaxpr(functions(columns)[name])(*given)
        assert _largest(traced.jaxpr) <= 4 * sums.PAIRS_PER_TILE


def _largest(jaxpr: Any) -> int:
    """Numbers in the largest array of all that are computed."""
    own = [out.aval.size for equation in jaxpr.eqns for out in equation.outvars if out.aval.shape]
    inner = [
        _largest(each) for equation in jaxpr.eqns for each in jaxprs_in_params(equation.params)
    ]
    return max([0, *own, *inner])


@pytest.mark.slow
@pytest.mark.parametrize("body", BODIES)
def test_no_array_of_a_split_grows_with_samples(body: str) -> None:
    """A hundred times the samples: the waves at their dipoles are computed in groups."""
    columns = BODIES[body]
    model = RangeSplit(RangeSplitConfig(), inputs_of(columns), jr.key(2))
    tables, points = jnp.ones((20_000, 10, columns.size)), jnp.ones((1000, columns.dim))
    with sums_for("gpu"):
        program = lowered_for_cuda(model.block, tables, points)
    assert largest(program) <= 1 << 27


def test_no_array_grows_with_samples() -> None:
    """A block of a hundred times the samples goes through in groups."""
    tables, counts = jnp.ones((20_000, 10, _DISC.size)), jnp.full(20_000, 10)
    points = jnp.ones((1000, 2))
    with sums_for("gpu"):
        program = lowered_for_cuda(
            lambda *given: block_superposition(_DISC, *given), tables, counts, points
        )
    assert largest(program) <= 1 << 27
    assert largest(program) < 20_000 * 10 * 1000


def test_the_platform_is_that_of_the_device() -> None:
    """As JAX was asked, for this process or for a block."""
    assert sums_platform() == "cpu"
    with jax.default_device(jax.devices("cpu")[0]):
        assert sums_platform() == "cpu"
    with sums_for("gpu"):
        assert sums_platform() == "gpu"
