"""Reduced soft boxes: against the solve by cells, and the laws that any solution keeps."""

from functools import cache

import equinox as eqx
import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
import pytest

import hypermagnetics
from hypermagnetics.errors import RecipeError, SourceError
from hypermagnetics.models import ModelInputs, Reduced, ReducedConfig, TrainedRange, save_model
from hypermagnetics.models.reduced.divided_box import DividedBox
from hypermagnetics.models.reduced.rows import smallest_gaps
from hypermagnetics.sources import signed_distance, superposition
from hypermagnetics.sources.soft.solve import Settings, solve
from hypermagnetics.table import (
    SourceColumns,
    applied_field,
    hard_table,
    source_rows,
    susceptibility,
)

CELLS = 8
VARYING = ("dimension_x", "dimension_y", "angle", "susceptibility", "applied_x", "applied_y")
COLUMNS = SourceColumns.of("rectangle", varying=VARYING)
ASPECTS = ((1.0, 1.0), (2.0, 1.0))
SPACE = SourceColumns.of(
    "cuboid",
    varying=[
        "susceptibility",
        *(f"dimension_{a}" for a in "xyz"),
        *(f"rotation_{a}" for a in "wxyz"),
    ],
)
TURN = 0.7


def _fitted(columns: SourceColumns, config: ReducedConfig) -> Reduced:
    none = jnp.zeros((1, columns.size)), jnp.zeros((1, columns.dim))
    return Reduced(config, ModelInputs(columns=columns)).fitted(*none, jr.key(0))


@cache
def in_plane() -> Reduced:
    return _fitted(COLUMNS, ReducedConfig(aspects=ASPECTS, modes=32, divisions=CELLS))


@cache
def in_space() -> Reduced:
    return _fitted(SPACE, ReducedConfig(aspects=((1.0, 1.0, 0.5),), modes=40, divisions=4))


def configuration(*, susceptibility: float = 100.0, applied: float = 0.3) -> np.ndarray:
    """A hard square, three soft boxes of two aspects, sizes and rotations, and padding."""
    field = [applied, -0.5 * applied]
    rows = [
        [1.0, -0.4, 0.1, 0.0, 0.6, 0.8, 0.2, 0.0, *field],
        [0.0, 0.0, 1.2, 0.2, 1.0, 1.0, 0.0, susceptibility, *field],
        [0.1, 0.3, -1.3, 0.4, 1.6, 0.8, 0.9, 3 * susceptibility, *field],
        [0.0, 0.0, 0.3, -1.5, 1.4, 1.4, -0.4, 0.5 * susceptibility, *field],
        [0.0] * 10,
    ]
    return np.array(rows, np.float32)


POINTS = np.random.default_rng(0).uniform(-2.5, 2.5, (300, 2)).astype(np.float32)


def _distances(table: np.ndarray, points: np.ndarray = POINTS) -> np.ndarray:
    rows = np.array(hard_table(COLUMNS, table[source_rows(COLUMNS, table)]), np.float64)
    rows[:, 0] = 1
    return signed_distance(COLUMNS.hard, rows, points).min(axis=0)


def _solved(columns: SourceColumns, table: np.ndarray, points: np.ndarray, cells: int) -> tuple:
    with jax.enable_x64(True):
        rows = jnp.asarray(table, float)
        found = solve(
            columns.hard,
            hard_table(columns, rows),
            susceptibility(columns, rows),
            applied_field(columns, rows),
            jnp.zeros(len(rows)),
            Settings(cells=(cells,) * columns.dim),
        )
        return tuple(map(np.asarray, found.potential_and_field(jnp.asarray(points, float))))


@cache
def _solved_configuration() -> tuple:
    return _solved(COLUMNS, configuration(), POINTS, CELLS)


def _relative(found: np.ndarray, true: np.ndarray) -> np.ndarray:
    return np.linalg.norm(np.asarray(found) - true, axis=-1) / np.linalg.norm(true, axis=-1)


@pytest.mark.slow
def test_the_field_outside_is_that_of_the_solve() -> None:
    table, outside = configuration(), _distances(configuration()) > 0.05
    potential, field = in_plane().potential_and_field(table, POINTS)
    true = _solved_configuration()
    error = _relative(field, true[1])[outside]
    hard = superposition(COLUMNS.hard, hard_table(COLUMNS, table[:1]), POINTS)[1]
    assert np.median(_relative(hard, true[1])[outside]) > 0.1
    assert np.median(error) < 1e-3
    assert np.quantile(error, 0.9) < 1e-2
    worst = np.abs(potential - true[0])[outside].max() / np.abs(true[0]).max()
    assert worst < 5e-3


@pytest.mark.slow
def test_the_field_inside_is_that_of_the_solve() -> None:
    distance = _distances(configuration())
    soft = _distances(configuration()[1:]) == distance
    inside = soft & (distance < -1 / CELLS)
    assert inside.sum() > 10
    potential, field = in_plane().potential_and_field(configuration(), POINTS)
    true = _solved_configuration()
    assert np.median(_relative(field, true[1])[inside]) < 5e-3
    assert np.abs(potential - true[0])[inside].max() < 1e-2 * np.abs(true[0]).max()


@pytest.mark.slow
def test_a_body_in_space_answers_as_in_the_solve() -> None:
    turned = np.array([0.8, 0.2, -0.4, 0.4]) / np.linalg.norm([0.8, 0.2, -0.4, 0.4])
    straight = [1.0, 0, 0, 0]
    table = np.array(
        [
            [0.5, 0.2, 1.0, 0, 0, 0, 0, 1, 1, 1, *straight],
            [0, 0, 0, 1.5, 0.3, 0.2, 300.0, 1, 1, 0.5, *turned],
            [0, 0, 0, -0.6, 2.6, 0.1, 20.0, 2, 2, 1, *turned[::-1]],
        ],
        np.float32,
    )
    rotation = [f"rotation_{axis}" for axis in "wxyz"]
    order = ["susceptibility", *VARYING[:2], "dimension_z", *rotation]
    given = [*SPACE.names[:6], *order]
    table = table[:, [given.index(name) for name in SPACE.names]]
    points = np.random.default_rng(1).uniform(-3, 3, (100, 3)).astype(np.float32)
    true = _solved(SPACE, table, points, 4)
    rows = np.array(hard_table(SPACE, table), np.float64)
    rows[:, 0] = 1
    outside = signed_distance(SPACE.hard, rows, points).min(axis=0) > 0.1
    error = _relative(in_space().field(table, points), true[1])[outside]
    assert np.median(error) < 2e-3
    assert np.quantile(error, 0.9) < 2e-2


@pytest.mark.slow
def test_more_modes_are_more_exact() -> None:
    outside, true = _distances(configuration()) > 0.05, _solved_configuration()[1]
    errors = []
    for modes in (4, 12, 32):
        few = eqx.tree_at(
            lambda model: (model.moments, model.own_field, model.magnetisation),
            in_plane(),
            (
                in_plane().moments.at[:, modes:].set(0),
                in_plane().own_field.at[:, modes:].set(0),
                in_plane().magnetisation.at[:, modes:].set(0),
            ),
        )
        errors.append(np.median(_relative(few.field(configuration(), POINTS), true)[outside]))
    assert errors[0] > 5 * errors[1] > 5 * errors[2]


@pytest.mark.slow
def test_it_turns_moves_and_scales_with_a_configuration() -> None:
    cosine, sine = np.cos(TURN), np.sin(TURN)
    rotation, shift, size = np.array([[cosine, -sine], [sine, cosine]]), np.array([3.0, -1.0]), 1e-3
    table = configuration()
    moved, used = table.copy(), slice(0, 4)
    moved[used, :2] = size**2 * table[used, :2] @ rotation.T
    moved[used, 2:4] = size * (table[used, 2:4] @ rotation.T + shift)
    moved[used, 4:6] *= size
    moved[used, 6] += TURN
    moved[used, -2:] = table[used, -2:] @ rotation.T
    away = _distances(table) > 0.02
    places = (size * (POINTS[away] @ rotation.T + shift)).astype(np.float32)
    potential, field = in_plane().potential_and_field(table, POINTS[away])
    found = in_plane().potential_and_field(moved, places)
    scale = np.linalg.norm(field, axis=-1).max()
    np.testing.assert_allclose(found[1], np.asarray(field) @ rotation.T, atol=2e-4 * scale)
    largest = float(jnp.max(jnp.abs(potential)))
    np.testing.assert_allclose(found[0], size * np.asarray(potential), atol=2e-4 * size * largest)


@pytest.mark.slow
def test_it_is_linear_in_remanence_and_applied_field() -> None:
    table, other = configuration(), configuration()
    other[:4, :2] = [[0.2, 0.1], [0.3, 0], [0, 0], [-0.1, 0.2]]
    other[:4, -2:] = [0.1, 0.7]
    total = table.copy()
    total[:4, :2] += other[:4, :2]
    total[:4, -2:] += other[:4, -2:]
    fields = [np.asarray(in_plane().field(one, POINTS)) for one in (table, other, total)]
    scale = np.abs(fields[2]).max()
    np.testing.assert_allclose(fields[0] + fields[1], fields[2], atol=1e-5 * scale)


@pytest.mark.slow
def test_rows_may_stand_in_any_order_among_padding() -> None:
    table = configuration()
    shuffled = np.concatenate([table[[3, 4, 0, 2, 1]], np.zeros_like(table[:2])])
    expected = np.asarray(in_plane().field(table, POINTS))
    scale = np.abs(expected).max()
    np.testing.assert_allclose(in_plane().field(shuffled, POINTS), expected, atol=1e-4 * scale)


@pytest.mark.slow
def test_hard_magnets_alone_have_their_closed_form() -> None:
    table = configuration()[[0, 4]]
    exact = superposition(COLUMNS.hard, hard_table(COLUMNS, table[:1]), POINTS)
    for found, true in zip(in_plane().potential_and_field(table, POINTS), exact, strict=True):
        np.testing.assert_allclose(found, true, rtol=1e-5, atol=1e-6 * np.abs(true).max())


@pytest.mark.slow
def test_soft_bodies_without_any_field_have_none() -> None:
    table = configuration(applied=0.0)
    table[:, :2] = 0
    assert not np.asarray(in_plane().field(table[1:], POINTS)).any()


@pytest.mark.slow
def test_a_small_susceptibility_answers_in_proportion() -> None:
    hard = superposition(COLUMNS.hard, hard_table(COLUMNS, configuration()[:1]), POINTS)[1]
    away, parts = _distances(configuration()) > 0.02, []
    for chi in (0.01, 0.02):
        table = configuration(susceptibility=chi)
        table[:, :2] *= np.array([1, 0, 0, 0, 0])[:, None]
        parts.append((np.asarray(in_plane().field(table, POINTS)) - hard)[away])
    ratio = np.sum(parts[0] * parts[1]) / np.sum(parts[0] ** 2)
    assert ratio == pytest.approx(2, rel=0.02)


@pytest.mark.slow
def test_the_field_is_the_slope_of_the_potential_outside() -> None:
    away = POINTS[_distances(configuration()) > 0.1][:40]
    slope = jax.vmap(jax.grad(lambda point: in_plane().potential(configuration(), point[None])[0]))(
        jnp.asarray(away)
    )
    field = np.asarray(in_plane().field(configuration(), away))
    assert np.median(_relative(-slope, field)) < 1e-4


@pytest.mark.slow
def test_it_is_the_same_under_jit_and_in_a_block() -> None:
    table, expected = configuration(), np.asarray(in_plane().field(configuration(), POINTS))
    scale = np.abs(expected).max()
    compiled = jax.jit(in_plane().field)(table, POINTS)
    block = in_plane().block(np.stack([table, table[::-1]]), POINTS)[1][0]
    for found in (compiled, block):
        np.testing.assert_allclose(found, expected, atol=1e-4 * scale)


@pytest.mark.slow
def test_it_has_a_derivative_in_the_place_of_a_body() -> None:
    point = jnp.array([[0.2, 1.5]], jnp.float32)

    def of(shift: jax.Array) -> jax.Array:
        table = jnp.asarray(configuration()).at[1, 2].add(shift)
        return in_plane().field(table, point)[0, 0]

    step = 1e-2
    difference = (of(jnp.float32(step)) - of(jnp.float32(-step))) / (2 * step)
    slope = jax.grad(of)(jnp.float32(0))
    assert float(slope) == pytest.approx(float(difference), rel=2e-2)


@pytest.mark.slow
def test_a_file_gives_the_same_model(tmp_path) -> None:
    save_model(tmp_path / "model.hm", in_plane(), {})
    loaded = hypermagnetics.load(tmp_path / "model.hm")
    assert eqx.tree_equal(loaded, in_plane())


@pytest.mark.slow
@pytest.mark.parametrize(
    ("column", "value", "message"),
    [
        ("susceptibility", 5000.0, "at most 3000.*got 5000 .source 1"),
        ("susceptibility", -0.5, "must be above 0.*got -0.5"),
        ("dimension_x", 1.5, "ratio of an aspect .*1.5"),
        ("position_x", 0.9, "at least 0.02 of its longest side"),
    ],
)
def test_bodies_without_modes_are_refused(column: str, value: float, message: str) -> None:
    table = configuration()
    table[1, COLUMNS.index(column)] = value
    with pytest.raises(SourceError, match=message):
        in_plane().field(table, POINTS)
    with pytest.raises(SourceError, match="of sample 1"):
        in_plane().block(np.stack([configuration(), table]), POINTS)
    assert np.isnan(jax.jit(in_plane().field)(table, POINTS)).all()


def test_soft_balls_are_refused() -> None:
    columns = SourceColumns.of("disc", "rectangle", varying=["radius", *VARYING])
    model = Reduced(ReducedConfig(aspects=ASPECTS, modes=4), ModelInputs(columns=columns))
    ball = np.zeros((1, columns.size), np.float32)
    ball[0, [columns.index(name) for name in ("radius", "susceptibility", "body")]] = [1, 10, 1]
    with pytest.raises(SourceError, match="must be a box"):
        model.field(ball, POINTS)


@pytest.mark.parametrize(
    ("columns", "config", "message"),
    [
        (SourceColumns.of("rectangle", varying=VARYING[:3]), {}, "susceptibilities and boxes"),
        (SourceColumns.of("disc", varying=["radius", "susceptibility"]), {}, "boxes among them"),
        (COLUMNS, {"aspects": None}, "no dataset is known"),
        (COLUMNS, {"aspects": ((1, 1, 1),)}, "must have 2 sides"),
    ],
)
def test_settings_that_do_not_fit_are_refused(
    columns: SourceColumns, config: dict, message: str
) -> None:
    with pytest.raises(RecipeError, match=message):
        Reduced(ReducedConfig(**{"aspects": ASPECTS, **config}), ModelInputs(columns=columns))


@pytest.mark.slow
def test_another_shape_in_the_training_split_is_refused() -> None:
    rows = jnp.asarray(configuration())
    trained = TrainedRange(sources=((0.0, 1.0),) * COLUMNS.size, points=((-1.0, 1.0),) * 2)
    model = Reduced(ReducedConfig(), ModelInputs(columns=COLUMNS, trained=trained))
    assert model.config.aspects == ((1.0, 1.0),)
    with pytest.raises(RecipeError, match=r"ratio of an aspect .*model\.aspects"):
        model.fitted(rows, jnp.asarray(POINTS), jr.key(0))


@pytest.mark.slow
def test_the_response_of_a_box_is_its_own_cells_equation() -> None:
    box = DividedBox((1.0, 0.5), 6)
    random = np.random.default_rng(3)
    field = random.normal(size=(2, 36, 2))
    chi = np.array([5.0, 200.0])
    found = box.response(field, chi)
    for one, outer, number in zip(found, field, chi, strict=True):
        table = np.concatenate([box.cell_volume * one, box.centres], axis=1)
        own = superposition(box.cell_columns, table, box.centres)[1]
        np.testing.assert_allclose(one, number * (outer + own), rtol=1e-9)


@pytest.mark.slow
def test_the_field_of_cells_is_that_of_the_closed_forms() -> None:
    for sides in ((1.0, 0.5), (1.0, 1.0, 0.5)):
        box, random = DividedBox(sides, 4), np.random.default_rng(3)
        magnetisation = random.normal(size=(1, len(box.centres), box.dim))
        points = random.uniform(0.8, 3, (5, box.dim))
        table = np.concatenate([box.cell_volume * magnetisation[0], box.centres], axis=1)
        exact = superposition(box.cell_columns, table, points)[1]
        np.testing.assert_allclose(box.field(magnetisation, points)[0], exact, rtol=1e-8)


@pytest.mark.slow
def test_gaps_are_those_of_the_nearest_bodies() -> None:
    table = configuration()
    table[1] = [0, 0, 2.0, 0, 1, 1, 0, 9, 0, 0]
    table[2] = [0, 0, 3.1, 0.4, 1, 1, 0, 9, 0, 0]
    table[3] = [0, 0, 2.0, 2.0, 1, 1, np.pi / 4, 9, 0, 0]
    gaps = np.asarray(smallest_gaps(COLUMNS, jnp.asarray(table)))
    np.testing.assert_allclose(gaps[1:3], [0.1, 0.1], atol=1e-6)
    assert gaps[3] == pytest.approx((1.7 - np.sqrt(0.5)) / np.sqrt(2), abs=1e-6)
    assert gaps[4] == np.inf
