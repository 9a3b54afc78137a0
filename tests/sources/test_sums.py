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
        "some sources": lambda *given: superposition(columns, *given, 3),
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
@pytest.mark.parametrize("name", ["superposition", "split", "cells"])
def test_derivatives_are_those_of_a_cpu(name: str) -> None:
    """By sources and by points, in reverse mode."""
    given = arguments(_DISC, 5, 7)
    slopes = jax.grad(lambda *given: size(functions(_DISC)[name](*given)), argnums=(0, 1))
    expected = jax.jit(slopes)(*given)
    with sums_for("gpu"):
        found = jax.jit(slopes)(*given)
    assert_close(found, expected, 2e-5)


def largest(program: str) -> int:
    """Numbers in the largest array of a program."""
    shapes = re.findall(r"tensor<((?:\d+x)+)[fi]\d+>", program)
    return max(int(np.prod([int(size) for size in shape.split("x")[:-1]])) for shape in shapes)


@pytest.mark.slow_cases
@pytest.mark.parametrize("name", ["superposition", "block", "magnetisation", "targets"])
def test_nothing_is_looped_over_below_a_tile(name: str) -> None:
    """One fused reduction, however many sources or points."""
    with sums_for("gpu"):
        program = lowered_for_cuda(functions(_DISC)[name], *arguments(_DISC, 300, 2000))
    assert "stablehlo.while" not in program


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
def test_no_array_grows_with_pairs(sizes: tuple[int, int], slopes: bool) -> None:
    """A hundred times the sources or the points: the largest array is that of a tile."""
    num_sources, num_points = sizes
    given = jnp.ones((num_sources, _DISC.size)), jnp.ones((num_points, 2))

    def values(*given: jax.Array) -> jax.Array:
        return size(superposition(_DISC, *given))

    with sums_for("gpu"):
        program = lowered_for_cuda(jax.grad(values, argnums=(0, 1)) if slopes else values, *given)
    assert largest(program) <= max(1 << 26, 10 * max(sizes))


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
