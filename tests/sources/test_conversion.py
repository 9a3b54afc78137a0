"""Source tables in other columns: the same sources, of the same fields."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from magnets import random_rows
from refused import refused

from hypermagnetics.errors import SourceError
from hypermagnetics.sources import BodyName, SourceColumns, superposition
from hypermagnetics.sources.conversion import converted, misfit
from hypermagnetics.table import BODIES, SHAPES

ALL: dict[int, tuple[BodyName, ...]] = {
    2: ("dipole", "disc", "rectangle"),
    3: ("dipole", "sphere", "cuboid"),
}
SHARED = {
    "radius": 0.7,
    **{"dimension_x": 0.5, "dimension_y": 1.5, "dimension_z": 0.8, "angle": 0.4},
    **{"rotation_w": 0.1, "rotation_x": 0.7, "rotation_y": -0.5, "rotation_z": 0.5},
}
"""Sizes and rotation that all rows share."""
POINTS = np.random.default_rng(7).normal(scale=2, size=(16, 3))


def everything(dim: int) -> SourceColumns:
    """All bodies of a dimension, with a column for each size and rotation."""
    bodies = ALL[dim]
    return SourceColumns.of(*bodies, dim=dim, varying={n for b in bodies for n in SHAPES[b]})


def some(dim: int, *bodies: BodyName, shared: bool) -> SourceColumns:
    """Some bodies, whose sizes and rotations are all constant, or all columns."""
    names = {name for body in bodies for name in SHAPES[body]}
    constants = {name: SHARED[name] for name in names} if shared else {}
    return SourceColumns.of(*bodies, dim=dim, varying=names - {*constants}, constants=constants)


def tables_of(columns: SourceColumns) -> np.ndarray:
    """Two samples, of five sources and of three, the rest of the rows padding."""
    random = np.random.default_rng(11)
    tables = random_rows(columns, random, 10).reshape(2, 5, -1)
    if columns.has("body"):
        codes = [BODIES.index(columns.bodies[i % len(columns.bodies)]) for i in range(10)]
        tables[..., columns.index("body")] = np.reshape(codes, (2, 5))
    tables[1, 3:] = 0
    return tables


CASES = [
    pytest.param(dim, bodies, shared, marks=[pytest.mark.slow] * ("cuboid" in bodies))
    for dim, every in ALL.items()
    for bodies in (*((body,) for body in every), every[1:])
    for shared in (True, False)
]


@pytest.mark.slow
@pytest.mark.parametrize(("dim", "bodies", "shared"), CASES)
def test_converted_tables_have_the_same_fields(
    dim: int, bodies: tuple[BodyName, ...], shared: bool
) -> None:
    """Of all bodies at once: the law that a conversion must obey."""
    columns, wanted = some(dim, *bodies, shared=shared), everything(dim)
    if "cuboid" not in bodies:  # else its closed form, which takes seconds to compile
        wanted = some(dim, *(body for body in ALL[dim] if body != "cuboid"), shared=False)
    tables, points = tables_of(columns), jnp.asarray(POINTS[:, :dim])
    after = converted(columns, wanted, tables)
    for before, found, count in zip(tables, after, (5, 3), strict=True):
        expected = superposition(columns, jnp.asarray(before), points, jnp.asarray(count))
        values = superposition(wanted, jnp.asarray(found), points, jnp.asarray(count))
        for value, truth in zip(values, expected, strict=True):
            np.testing.assert_allclose(value, truth, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize(("dim", "bodies", "shared"), [case.values for case in CASES])
def test_rows_are_those_of_bodies_and_padding_stays(
    dim: int, bodies: tuple[BodyName, ...], shared: bool
) -> None:
    """Columns that a body has no use for are zero, by numpy, and by JAX under `jit`."""
    columns, wanted = some(dim, *bodies, shared=shared), everything(dim)
    tables = tables_of(columns).astype(np.float32)
    found = converted(columns, wanted, tables)
    assert found.dtype == np.float32
    assert not found[1, 3:].any()
    for row in (*found[0], *found[1, :3]):
        body = BODIES[int(row[wanted.index("body")])]
        assert body in bodies
        for name in wanted.shape_names[:-1]:
            if name not in SHAPES[body] and not columns.has(name):
                assert row[wanted.index(name)] == 0, (name, body)
            elif name in SHAPES[body] and shared:
                assert row[wanted.index(name)] == np.float32(SHARED[name])
    by_jax = jax.jit(lambda rows: converted(columns, wanted, rows))(jnp.asarray(tables))
    np.testing.assert_array_equal(by_jax, found)


def test_columns_of_the_same_names_leave_a_table_as_it_is() -> None:
    columns = some(2, "disc", shared=True)
    tables = tables_of(columns)
    assert converted(columns, columns, tables) is tables


def test_columns_of_another_order_are_found_by_their_names() -> None:
    columns = some(2, "rectangle", shared=False)
    turned = SourceColumns(2, columns.bodies, (*columns.names[:4], *columns.names[:3:-1]))
    tables = tables_of(columns)
    np.testing.assert_array_equal(
        converted(columns, turned, tables), tables[..., [0, 1, 2, 3, 6, 5, 4]]
    )


@pytest.mark.parametrize(
    ("columns", "wanted", "rule"),
    [
        (some(2, "disc", shared=True), everything(3), "of 2 dimensions and 4 columns; got 3"),
        (
            some(2, "disc", "rectangle", shared=False),
            some(2, "disc", "dipole", shared=False),
            "know all bodies of the dataset, disc, rectangle; got one trained without rectangle",
        ),
        (
            some(2, "disc", shared=False),
            some(2, "dipole", "disc", shared=True),
            "read the columns of the dataset, moment_x, moment_y, position_x, position_y, radius",
        ),
        (
            some(2, "disc", shared=True),
            SourceColumns.of("disc", "dipole", constants={"radius": 0.5}),
            "of radius 0.7; got one for radius 0.5",
        ),
    ],
)
def test_what_cannot_be_described_is_refused(
    columns: SourceColumns, wanted: SourceColumns, rule: str
) -> None:
    """Another dimension, a missing body, a column that is lacking, another constant."""
    assert misfit(columns, wanted) is not None
    with refused(SourceError, rule, "same bodies"):
        converted(columns, wanted, tables_of(columns))
