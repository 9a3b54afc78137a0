"""Directions in which bodies change, and derivatives along them."""

import json
from collections.abc import Callable
from functools import cache
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from magnets import BUT_SLOW_CUBOIDS, KINDS

from hypermagnetics.errors import SourceError
from hypermagnetics.sources import (
    Directions,
    SourceColumns,
    block_derivative,
    chosen_columns,
    derivative_labels,
    superposition,
)

_FILE = Path(__file__).parents[1] / "reference" / "jacobians.json"
_CASES = json.loads(_FILE.read_text(encoding="utf-8"))["cases"]
MIXED = SourceColumns.of(
    "dipole",
    "disc",
    "rectangle",
    varying=["radius", "angle"],
    constants={"dimension_x": 0.7, "dimension_y": 0.4},
)
CUBOID = KINDS["cuboid in 3D"]


@cache
def directions_of(columns: SourceColumns) -> Directions:
    """All columns, in units of 1."""
    return Directions(columns, chosen_columns(columns, None, columns.names, "here"), 1.0, 1.0)


@cache
def jacobian(
    columns: SourceColumns,
) -> Callable[[jax.Array, jax.Array], tuple[jax.Array, jax.Array]]:
    """Derivatives of potential and field of one body at one point, by each of its parameters."""
    along = directions_of(columns)

    def of(row: jax.Array, point: jax.Array) -> tuple[jax.Array, jax.Array]:
        table = row[None, None]
        changes = along.single(table)
        potential, field = jax.vmap(
            lambda change: block_derivative(columns, table, change, point[None])
        )(changes)
        return potential[:, 0, 0], field[:, 0, 0]

    return jax.jit(of)


@pytest.mark.slow_cases
@pytest.mark.parametrize(
    ("dtype", "tolerance", "least"), [(np.float64, 1e-10, 0.01), (np.float32, 1e-4, 0.1)]
)
@pytest.mark.parametrize("columns", BUT_SLOW_CUBOIDS)
def test_derivatives_are_those_of_60_digits(
    columns: SourceColumns, dtype: type[np.floating], tolerance: float, least: float
) -> None:
    """By every parameter of every body: inside, near, and up to 200 sizes away."""
    body, dim = columns.bodies[0], columns.dim
    cases = [case for case in _CASES if (case["body"], case["dim"]) == (body, dim)]
    assert len(cases) >= 9
    parameters = directions_of(columns).parameters
    for case in cases:
        assert set(case["potential"]) == set(parameters)
        row = np.array([case["row"][column] for column in columns.names], dtype)
        found = jacobian(columns)(jnp.asarray(row), jnp.asarray(case["point"], dtype))
        for quantity, slopes in zip(("potential", "field"), found, strict=True):
            expected = np.array([case[quantity][name] for name in parameters])
            # Of each parameter by itself, but for those that hardly matter beside others.
            size = np.linalg.norm(expected.reshape(len(parameters), -1), axis=1)
            error = np.linalg.norm(
                np.asarray(slopes, np.float64).reshape(len(parameters), -1)
                - expected.reshape(len(parameters), -1),
                axis=1,
            )
            assert (error <= tolerance * np.maximum(size, least * size.max())).all(), case["where"]


def test_labels_of_derivatives_are_computed_in_float64() -> None:
    """Whatever float type the stored tables have, and rounded once."""
    columns = KINDS["disc in 2D"]
    random = np.random.default_rng(5)
    sources = random.normal(size=(3, 2, 5)).astype(np.float32)
    sources[..., 4] = 0.5 + np.abs(sources[..., 4])
    sources[1, 1] = 0
    changes = np.where(sources[..., :1] != 0, random.normal(size=sources.shape), 0)
    grid = random.normal(size=(6, 2)).astype(np.float32)
    found = derivative_labels(columns, sources, changes, grid)
    step = 1e-6
    for sample in range(3):
        count = 1 if sample == 1 else 2
        ahead, behind = (
            superposition(
                columns,
                sources[sample, :count].astype(np.float64) + sign * step * changes[sample, :count],
                grid.astype(np.float64),
            )
            for sign in (1, -1)
        )
        for ours, one, other in zip(found, ahead, behind, strict=True):
            assert ours.dtype == jnp.float32
            expected = (np.asarray(one) - np.asarray(other)) / (2 * step)
            np.testing.assert_allclose(ours[sample], expected, rtol=2e-6, atol=1e-8)


def test_padding_and_other_bodies_do_not_change() -> None:
    """A dipole has no radius, a disc no angle, a row without moment nothing."""
    along = directions_of(MIXED)
    assert along.parameters == (
        *("moment_x", "moment_y", "position_x", "position_y", "radius", "angle"),
    )
    bodies = {"dipole": 0.0, "disc": 1.0, "rectangle": 2.0}
    rows = [[1.0, 0.5, 0.2, -0.3, 0.0, 0.0, code] for code in bodies.values()]
    rows[1][4], rows[2][5] = 0.6, 0.3
    table = np.array([*rows, [0.0] * 7])
    changes = np.asarray(along.random(jax.random.key(1), jnp.asarray(table), 2))
    changed = changes != 0
    assert changed.shape == (2, 4, 7)
    expected = np.zeros((4, 7), bool)
    expected[:3, :4] = expected[1, 4] = expected[2, 5] = True
    assert (changed == expected).all()


def test_rotations_stay_rotations() -> None:
    """Changes of a quaternion are tangent to the unit sphere, half as long as the turn [rad]."""
    along = Directions(CUBOID, chosen_columns(CUBOID, ["rotation"], CUBOID.names, "here"), 1.0, 1.0)
    random = np.random.default_rng(3)
    table = np.ones((4, CUBOID.size))
    table[:, -4:] = random.normal(size=(4, 4))
    table[:, -4:] /= np.linalg.norm(table[:, -4:], axis=1, keepdims=True)
    assert along.parameters == ("turn_x", "turn_y", "turn_z")
    amounts = random.normal(size=(4, 3))
    changes = np.asarray(along.changes(jnp.asarray(table), jnp.asarray(amounts)))
    assert not changes[:, :-4].any()
    np.testing.assert_allclose(np.sum(changes * table, axis=1), 0, atol=1e-15)
    np.testing.assert_allclose(
        np.linalg.norm(changes, axis=1), np.linalg.norm(amounts, axis=1) / 2, rtol=1e-14
    )


def test_units_of_changes() -> None:
    """Moments and lengths have theirs, rotations are in radians."""
    columns = KINDS["rectangle in 2D"]
    along = Directions(columns, columns.names, 3.0, 5.0)
    changes = np.asarray(along.single(jnp.ones((1, columns.size))))
    assert changes.shape == (7, 1, 7)
    np.testing.assert_array_equal(np.diag(changes[:, 0]), [3, 3, 5, 5, 5, 5, 1])
    assert np.count_nonzero(changes) == 7


DISCS = SourceColumns.of("disc", constants={"radius": 1.0})


@pytest.mark.parametrize(
    ("columns", "wanted", "varying", "expected"),
    [
        (DISCS, None, DISCS.names, DISCS.names),
        (DISCS, ["position"], DISCS.names, DISCS.names[2:]),
        (DISCS, ["position_y", "moment_x"], DISCS.names, ("moment_x", "position_y")),
        (DISCS, ["position"], ["position_x"], ("position_x",)),
        (CUBOID, None, ["rotation_w"], CUBOID.names[-4:]),
        (MIXED, ["size", "rotation"], MIXED.names, ("radius", "angle")),
        (MIXED, None, MIXED.names, MIXED.names[:-1]),
    ],
)
def test_columns_by_name_and_by_group(
    columns: SourceColumns, wanted: list[str] | None, varying: list[str], expected: tuple[str, ...]
) -> None:
    """In the order of the table; of a quaternion all, never the code of a body."""
    assert chosen_columns(columns, wanted, varying, "here") == expected


@pytest.mark.parametrize(
    ("columns", "wanted", "message"),
    [
        (DISCS, "radius", r"got 'radius', where radius = 1 is the same for all sources \(here\)"),
        (DISCS, "size", "got 'size', where radius = 1 is the same"),
        (DISCS, "rotation", "got 'rotation', which discs do not have"),
        (DISCS, "positon", "got 'positon' .here.. Did you mean 'position'"),
        (MIXED, "body", "got 'body'"),
        (CUBOID, "rotation_x", "a quaternion changes as a whole"),
        (DISCS, "moment_y", "where moment_y is the same for all sources"),
    ],
)
def test_columns_that_cannot_be_chosen(columns: SourceColumns, wanted: str, message: str) -> None:
    """Each with its reason."""
    varying = [name for name in columns.names if name != "moment_y"]
    with pytest.raises(SourceError, match=message):
        chosen_columns(columns, [wanted], varying, "here")
