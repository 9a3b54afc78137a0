"""The fast sum over sources against obvious ones, in numpy and one by one."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from magnets import KINDS, RECTANGLE, each, part, random_rows, rows_of

from hypermagnetics.sources import SourceColumns, block_superposition, superposition

_DISC, _SPHERE = KINDS["disc in 2D"], KINDS["sphere in 3D"]


def obvious_sum(
    kind: SourceColumns, rows: np.ndarray, points: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Discs or spheres, one by one and point by point, in numpy."""
    dim = kind.dim
    potential, field = np.zeros(len(points)), np.zeros((len(points), dim))
    for row in rows:
        m, position, radius = (part(kind, row, name) for name in ("moment", "position", "radius"))
        for i, point in enumerate(points):
            d = point - position
            distance = np.linalg.norm(d)
            scale = 1 / (2 * np.pi * (dim - 1) * max(distance, radius) ** dim)
            potential[i] += scale * (m @ d)
            field[i] -= scale * m
            if distance > radius:
                field[i] += scale * dim * (m @ d) * d / distance**2
    return potential, field


def sum_of_each(
    kind: SourceColumns, rows: np.ndarray, points: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """The magnets alone, added up in numpy."""
    potential, field = each(kind, rows[:, None], points)
    return potential.sum(0), field.sum(0)


def assert_sums(values: tuple, expected: tuple) -> None:
    """The same but for rounding."""
    for value, truth in zip(values, expected, strict=True):
        np.testing.assert_allclose(value, truth, rtol=1e-11, atol=1e-13)


@pytest.mark.slow_cases
@pytest.mark.parametrize(
    ("kind", "num_sources"),
    [(_DISC, 1), (_DISC, 4), (_DISC, 11), (_SPHERE, 9)],
    ids=["1 disc", "4 discs", "11 discs", "9 spheres"],
)
def test_a_sum_equals_the_obvious_one(kind: SourceColumns, num_sources: int) -> None:
    """Below, at and above the number of sources that are summed in one loop."""
    random = np.random.default_rng(num_sources)
    rows, points = random_rows(kind, random, num_sources), random.normal(size=(40, kind.dim))
    values = superposition(kind, jnp.asarray(rows), jnp.asarray(3 * points))
    assert_sums(values, obvious_sum(kind, rows, 3 * points))


def test_the_order_of_sources_does_not_matter() -> None:
    random = np.random.default_rng(112)
    rows, points = random_rows(_DISC, random, 11), jnp.asarray(random.normal(size=(40, 2)))
    one, other = (superposition(_DISC, jnp.asarray(table), points) for table in (rows, rows[::-1]))
    assert_sums(one, other)


def test_many_points_are_as_good_as_few() -> None:
    """More of them than are evaluated at a time, and no multiple of that."""
    random = np.random.default_rng(113)
    rows, points = random_rows(_DISC, random, 5), random.normal(size=(70_001, 2))
    table = jnp.asarray(rows)
    values = superposition(_DISC, table, jnp.asarray(points))
    ends = np.r_[:100, 32_700:32_800, 65_500:65_600, 69_901:70_001]
    assert_sums((values[0][ends], values[1][ends]), obvious_sum(_DISC, rows, points[ends]))


def test_no_points_have_no_values() -> None:
    rows = random_rows(_DISC, np.random.default_rng(114), 2)
    potential, field = superposition(_DISC, jnp.asarray(rows), jnp.ones((0, 2)))
    assert potential.shape == (0,)
    assert field.shape == (0, 2)


@pytest.mark.slow_cases
@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
def test_magnets_add_up_and_padding_changes_nothing(kind: SourceColumns) -> None:
    """Whatever the padding holds, also where a point meets the zeros of a padding row."""
    random = np.random.default_rng(115)
    rows = random_rows(kind, random, 3)
    points = np.concatenate([np.zeros((1, kind.dim)), random.normal(size=(20, kind.dim))])
    expected = sum_of_each(kind, rows, points)
    padded = np.zeros((8, kind.size))
    padded[:3] = rows
    junk = padded.copy()
    junk[3:] = 7e3
    for table in (padded, junk):
        assert_sums(superposition(kind, jnp.asarray(table), jnp.asarray(points), 3), expected)


def test_no_sources_give_nothing() -> None:
    rows = jnp.asarray(random_rows(_DISC, np.random.default_rng(116), 2))
    for values in superposition(_DISC, rows, jnp.ones((3, 2)), 0):
        np.testing.assert_array_equal(values, 0)


@pytest.mark.slow
@pytest.mark.parametrize("num_samples", [4, 70])
def test_a_block_is_its_samples(num_samples: int) -> None:
    """What `superposition` does to one, `block_superposition` does to many.

    Also when they are more than it takes at a time.
    """
    random = np.random.default_rng(117)
    tables = np.stack([random_rows(_DISC, random, 5) for _ in range(num_samples)])
    counts = random.integers(0, 6, num_samples)
    points = random.normal(size=(4096, 2))
    potential, field = block_superposition(
        _DISC, jnp.asarray(tables), jnp.asarray(counts), jnp.asarray(points)
    )
    assert potential.shape == (num_samples, 4096)
    assert field.shape == (num_samples, 4096, 2)
    for i in (0, 1, num_samples // 2, num_samples - 1):
        alone = obvious_sum(_DISC, tables[i, : counts[i]], points[::100])
        assert_sums((potential[i, ::100], field[i, ::100]), alone)


def test_constants_are_columns_that_all_rows_share() -> None:
    """Sizes and rotation may be given once, or in every row."""
    random = np.random.default_rng(118)
    points = random.normal(size=(30, 2))
    shared = {"dimension_x": 0.7, "dimension_y": 1.3, "angle": 0.4}
    moment, position = random.normal(size=(2, 4, 2))
    columns = SourceColumns.of("rectangle", constants=shared)
    table = np.concatenate([moment, position], -1)
    rows = rows_of(RECTANGLE, moment=moment, position=position, **shared)
    assert_sums(
        superposition(columns, jnp.asarray(table), jnp.asarray(points)),
        sum_of_each(RECTANGLE, rows, points),
    )


@pytest.mark.slow
def test_single_precision_stays_single() -> None:
    """No silent widening, also with float64 enabled; `each` sees to it for all bodies alone."""
    rows = random_rows(_DISC, np.random.default_rng(120), 9).astype(np.float32)
    points = jnp.ones((3, 2), jnp.float32)
    for values in superposition(_DISC, jnp.asarray(rows), points):
        assert values.dtype == jnp.float32
    tables, counts = jnp.asarray(rows)[None], jnp.array([9])
    for values in block_superposition(_DISC, tables, counts, points):
        assert values.dtype == jnp.float32


def test_a_rotation_that_is_not_given_is_none() -> None:
    sides = {"dimension_x": 0.7, "dimension_y": 1.3, "dimension_z": 0.4}
    columns = SourceColumns.of("cuboid", constants=sides)
    assert [columns.constant(f"rotation_{axis}") for axis in "wxyz"] == [1, 0, 0, 0]
    del sides["dimension_z"]
    assert SourceColumns.of("rectangle", constants=sides).constant("angle") == 0


@pytest.mark.slow_cases
@pytest.mark.parametrize("num_sources", [1, 9])
def test_float_types_may_be_mixed(num_sources: int) -> None:
    """The wider one decides, as everywhere in JAX; as when data are float32 and a body is not."""
    rows = jnp.asarray(random_rows(_DISC, np.random.default_rng(121), num_sources))
    points = jnp.ones((3, 2), jnp.float32)
    for values in superposition(_DISC, rows, points):
        assert values.dtype == jnp.float64
    for values in superposition(_DISC, rows.astype(jnp.float32), points.astype(jnp.float64)):
        assert values.dtype == jnp.float64


def test_it_works_under_jit_and_vmap() -> None:
    """Over configurations, over points, and over both."""
    random = np.random.default_rng(122)
    tables = np.stack([random_rows(_DISC, random, 3) for _ in range(4)])
    points = random.normal(size=(4, 10, 2))
    many = jax.jit(jax.vmap(lambda table, where: superposition(_DISC, table, where)))
    potential, field = many(jnp.asarray(tables), jnp.asarray(points))
    for i in range(4):
        assert_sums((potential[i], field[i]), sum_of_each(_DISC, tables[i], points[i]))
