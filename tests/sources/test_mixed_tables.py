"""Source tables with several kinds of bodies, whose column `body` tells which a row is."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from magnets import each, part, random_rows

from hypermagnetics.sources import (
    BODIES,
    Body,
    BodyName,
    Cuboid,
    Dipole,
    Disc,
    Rectangle,
    SourceColumns,
    Sphere,
    block_superposition,
    source_table,
    superposition,
)
from hypermagnetics.table import SHAPES

_MIXTURES: dict[int, tuple[BodyName, ...]] = {
    2: ("dipole", "disc", "rectangle"),
    3: ("dipole", "sphere", "cuboid"),
}
_CLASSES: dict[str, type[Body]] = {
    "dipole": Dipole,
    "disc": Disc,
    "sphere": Sphere,
    "rectangle": Rectangle,
    "cuboid": Cuboid,
}
_POINTS = np.random.default_rng(130).normal(scale=2, size=(64, 3))


def mixture(dim: int, counts: tuple[int, int, int]) -> tuple[SourceColumns, np.ndarray, tuple]:
    """Columns and a table of so many bodies of each kind, in any order.

    Also their potential and field, as a sum over the bodies alone.
    """
    random = np.random.default_rng(131)
    bodies = _MIXTURES[dim]
    varying = {name for body in bodies for name in SHAPES[body]}
    columns = SourceColumns.of(*bodies, dim=dim, varying=varying)
    rows, values = [], []
    for body, count in zip(bodies, counts, strict=True):
        alone = SourceColumns.of(body, dim=dim, varying=SHAPES[body])
        own = random_rows(alone, random, count)
        mixed = np.zeros((count, columns.size))
        for name in alone.names:
            mixed[:, columns.index(name)] = part(alone, own, name)
        mixed[:, columns.index("body")] = BODIES.index(body)
        rows.append(mixed)
        potential, field = each(alone, own[:, None], _POINTS[:, :dim])
        values.append((potential.sum(0), field.sum(0)))
    table = random.permutation(np.concatenate(rows))
    return columns, table, tuple(sum(parts) for parts in zip(*values, strict=True))


def assert_sums(values: tuple, expected: tuple) -> None:
    """The same but for rounding."""
    for value, truth in zip(values, expected, strict=True):
        np.testing.assert_allclose(value, truth, rtol=1e-11, atol=1e-12)


@pytest.mark.slow
def test_a_mixture_is_the_sum_of_its_bodies() -> None:
    """In two dimensions; the next test has three."""
    columns, table, expected = mixture(2, (2, 4, 3))
    where = jnp.asarray(_POINTS[:, :2])
    assert_sums(superposition(columns, jnp.asarray(table), where), expected)


@pytest.mark.slow
def test_mixtures_of_different_length_share_a_block() -> None:
    """Each table is filled up with zeros, which are the code of a dipole at the origin."""
    dim = 3
    where = np.concatenate([_POINTS[:63, :dim], np.zeros((1, dim))])
    tables, counts, expected = np.zeros((3, 9, mixture(dim, (1, 1, 1))[1].shape[1])), [], []
    for i, many in enumerate([(1, 1, 1), (2, 3, 1), (3, 2, 3)]):
        columns, table, values = mixture(dim, many)
        tables[i, : len(table)] = table
        counts.append(len(table))
        expected.append(values)
    potential, field = block_superposition(
        columns, jnp.asarray(tables), jnp.asarray(counts), jnp.asarray(where)
    )
    assert bool(jnp.isfinite(potential).all())
    assert bool(jnp.isfinite(field).all())
    for i, (phi, h) in enumerate(expected):
        assert_sums((potential[i, :63], field[i, :63]), (phi[:63], h[:63]))


@pytest.mark.slow
def test_what_a_body_has_no_use_for_does_not_matter() -> None:
    columns, table, expected = mixture(2, (2, 4, 3))
    junk = table.copy()
    codes = table[:, columns.index("body")]
    for body in _MIXTURES[2]:
        unused = [i for i, name in enumerate(columns.names[4:-1], 4) if name not in SHAPES[body]]
        junk[np.ix_(codes == BODIES.index(body), unused)] = -3.0
    where = jnp.asarray(_POINTS[:, :2])
    assert_sums(superposition(columns, jnp.asarray(junk), where), expected)


@pytest.mark.slow
@pytest.mark.parametrize("count", [0, 1, 2])
def test_a_row_of_another_body_spoils_no_gradient(count: int) -> None:
    """A dipole has no radius, and padding neither; a disc is no dipole at a point inside it."""
    columns = SourceColumns.of("dipole", "disc", varying=["radius"])
    table = jnp.array([[1.0, 2, 0, 0, 0.5, 1], [2.0, 1, 30, 0, 0, 0]])
    table = jnp.where(jnp.arange(2)[:, None] < count, table, 0)
    where = jnp.asarray(_POINTS[:, :2]).at[0].set(0)
    of_table = _gradient(columns, table, where, jnp.asarray(count))
    assert bool(jnp.isfinite(of_table).all())
    used = np.zeros((2, 6), bool)
    used[0, :5] = count > 0
    used[1, :4] = count > 1
    np.testing.assert_array_equal(np.asarray(of_table) != 0, used)


@partial(jax.jit, static_argnames="columns")
def _gradient(
    columns: SourceColumns, table: jax.Array, where: jax.Array, count: jax.Array
) -> jax.Array:
    def loss(table: jax.Array) -> jax.Array:
        potential, field = superposition(columns, table, where, count)
        return potential.sum() + (field**2).sum()

    return jax.grad(loss)(table)


@pytest.mark.parametrize("dim", [2, 3])
def test_bodies_in_a_list_make_their_table(dim: int) -> None:
    columns, table, _ = mixture(dim, (2, 4, 3))
    magnets = []
    for row in table:
        body = BODIES[int(row[columns.index("body")])]
        vectors = {
            "dimension": [name for name in SHAPES[body] if name.startswith("dimension")],
            "rotation": [name for name in SHAPES[body] if name.startswith("rotation")],
        }
        sizes = {
            name: row[columns.index(name)] for name in ("radius", "angle") if name in SHAPES[body]
        }
        sizes |= {
            name: row[[columns.index(axis) for axis in axes]]
            for name, axes in vectors.items()
            if axes
        }
        magnets.append(_CLASSES[body](row[:dim], row[dim : 2 * dim], **sizes))
    its_columns, its_table = source_table(magnets)
    assert its_columns == columns
    np.testing.assert_array_equal(its_table, table)


def test_bodies_of_one_kind_need_no_column_that_tells_which() -> None:
    columns, table = source_table(
        [Disc([1.0, 0.0], [0.0, 0.0], 0.5), Disc([0.0, 1.0], [2.0, 0.0], 1.5)]
    )
    assert not columns.has("body")
    np.testing.assert_array_equal(table, [[1, 0, 0, 0, 0.5], [0, 1, 2, 0, 1.5]])
