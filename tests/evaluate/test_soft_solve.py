"""Baselines of soft bodies: the hard magnets alone, and solves by cells."""

import jax
import numpy as np
import pytest

from hypermagnetics.evaluate.baselines.soft_solve import Compared, HardMagnets, Solve, comparison
from hypermagnetics.sources import solve_magnetisation, superposition
from hypermagnetics.table import (
    SourceColumns,
    applied_field,
    hard_table,
    source_rows,
    susceptibility,
)

COLUMNS = SourceColumns.of(
    "disc",
    "rectangle",
    varying=["susceptibility", "applied_x", "applied_y"],
    constants={"radius": 0.5, "dimension_x": 1.0, "dimension_y": 0.8},
)
TABLES = np.array(
    [
        [[1, 0.2, 0, 0, 0, 0.1, 0.3, 1], [0, 0, 1.5, 0, 90, 0.1, 0.3, 2], [0] * 8],
        [[1, 0.2, 0, 0, 0, 0, 0, 1], [0, 0, 0, 2, 9, 0, 0, 2], [0, 0.1, -2, 0, 30, 0, 0, 2]],
    ],
    np.float32,
)
POINTS = np.array([[0.2, 0.9], [2.4, -1.0], [1.4, 0.1]], np.float32)


@pytest.mark.slow
def test_a_solve_of_a_block_is_that_of_each_sample() -> None:
    """Padding and samples of other numbers of bodies change nothing."""
    found = Solve(COLUMNS, 2).predict(TABLES, POINTS, 2)
    for table, potential, field in zip(TABLES, *found, strict=True):
        rows = table[source_rows(COLUMNS, table)].astype(np.float64)
        expected = solve_magnetisation(
            COLUMNS.hard,
            hard_table(COLUMNS, rows),
            susceptibility(COLUMNS, rows),
            applied_field(COLUMNS, rows),
            cells=2,
        ).potential_and_field(POINTS.astype(np.float64))
        np.testing.assert_allclose(potential, expected[0], rtol=1e-5)
        np.testing.assert_allclose(field, expected[1], rtol=1e-5)


@pytest.mark.slow
def test_the_hard_magnets_are_the_exact_sum() -> None:
    with jax.enable_x64(False):
        found = HardMagnets(COLUMNS).predict(TABLES, POINTS, 2)
    exact = superposition(COLUMNS.hard, hard_table(COLUMNS, TABLES[0, :1]), POINTS)
    np.testing.assert_allclose(found.potential[0], exact[0], rtol=1e-5)


@pytest.mark.parametrize(
    ("error", "seconds", "expected"),
    [
        (
            0.01,
            0.004,
            "4 cells is as exact, in 50 times the time; none is as quick, 1 cell takes 5 ",
        ),
        (
            0.1,
            0.03,
            "1 cell is as exact, in 0.667 times the time; 1 cell is as quick, and off by 5 %",
        ),
        (0.001, 1.0, "none of these is as exact, 4 cells is off by 0.8 %; 4 cells is as quick"),
    ],
)
def test_equal_error_and_equal_time_are_said(error: float, seconds: float, expected: str) -> None:
    solved = (Compared("1 cell", 0.05, 0.02), Compared("4 cells", 0.008, 0.2))
    assert expected in comparison("test", Compared("run", error, seconds), solved)
