"""No place takes the sum of single sources for the truth of soft bodies, which is another one."""

from collections.abc import Callable
from functools import cache
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from refused import refused

from hypermagnetics.data import Block, Dataset
from hypermagnetics.dynamics import trajectories
from hypermagnetics.dynamics.damping import Damping
from hypermagnetics.errors import SourceError
from hypermagnetics.evaluate.baselines import available_baselines, exact_sum
from hypermagnetics.evaluate.baselines.fmm3d import fmm3d
from hypermagnetics.evaluate.baselines.kernel import source_kernel
from hypermagnetics.evaluate.physics import laws_left_out
from hypermagnetics.evaluate.physics.flux import flux
from hypermagnetics.evaluate.physics.probe import Configuration, Probe
from hypermagnetics.models import HyperMLP, ModelInputs
from hypermagnetics.models.outside import far_superposition
from hypermagnetics.pictures import draw_points, draw_sample
from hypermagnetics.sources import (
    Directions,
    Raster,
    SourceColumns,
    block_derivative,
    block_superposition,
    cell_means,
    chosen_columns,
    derivative_labels,
    jacobian_labels,
    labels,
    magnetisation,
    solve_magnetisation,
    superposition,
)
from hypermagnetics.sources.conversion import converted
from hypermagnetics.sources.superposition import field_of, potential_of
from hypermagnetics.table import applied_field, hard_table, susceptibility

SOFT = SourceColumns.of("disc", varying=["radius", "susceptibility"])
TABLE = np.array([[1.0, 0, 0, 0, 0.5, 0], [0, 0, 2, 0, 0.5, 100]])
BLOCK, COUNTS = TABLE[None], np.array([2], np.int32)
POINTS = np.array([[3.0, 1], [0, 2]])
SINGLE = BLOCK.astype(np.float32)


@cache
def network() -> HyperMLP:
    keys = dict(zip(("hyperkey", "mainkey"), jax.random.split(jax.random.key(0)), strict=True))
    return HyperMLP(4, 1, 0.5, 1, inputs=ModelInputs(columns=SOFT), **keys)


def _block() -> Block:
    grid = POINTS.astype(np.float32)
    return Block(
        sources=SINGLE,
        num_sources=COUNTS,
        grid=grid,
        potential=np.zeros((1, 2), np.float32),
        field=np.zeros((1, 2, 2), np.float32),
    )


_FAR = jnp.asarray([True, True])
_MASK = jnp.asarray([True, True])
PLACES: dict[str, Callable[[], Any]] = {
    "superposition": lambda: superposition(SOFT, TABLE, POINTS),
    "superposition, compiled": lambda: jax.jit(lambda rows: superposition(SOFT, rows, POINTS))(
        jnp.asarray(TABLE)
    ),
    "potential_of": lambda: potential_of(SOFT, TABLE, POINTS),
    "field_of": lambda: field_of(SOFT, TABLE, POINTS),
    "block_superposition": lambda: block_superposition(SOFT, BLOCK, COUNTS, POINTS),
    "labels": lambda: labels(SOFT, SINGLE, COUNTS, POINTS),
    "derivative_labels": lambda: derivative_labels(SOFT, SINGLE, SINGLE, POINTS, COUNTS),
    "jacobian_labels": lambda: jacobian_labels(SOFT, ("radius",), "field", SINGLE, COUNTS, POINTS),
    "Directions": lambda: Directions(SOFT, ("radius",), 1.0, 1.0),
    "block_derivative": lambda: block_derivative(
        SOFT, jnp.asarray(BLOCK), jnp.asarray(BLOCK), jnp.asarray(POINTS)
    ),
    "chosen_columns": lambda: chosen_columns(SOFT, None, SOFT.names, "here"),
    "magnetisation": lambda: magnetisation(SOFT, TABLE, POINTS),
    "cell_means": lambda: cell_means(
        SOFT, Raster((4, 4), 1.0, 2, 1.0), jnp.asarray(BLOCK), jnp.zeros(2)
    ),
    "trajectories": lambda: trajectories(
        Damping(kind="damping", num_steps=2, time_step=1e-3), SOFT, SINGLE, COUNTS
    ),
    "far_superposition": lambda: far_superposition(
        SOFT, jnp.asarray(TABLE), jnp.asarray(POINTS), _FAR, _MASK
    ),
    "flux density of a model": lambda: network().flux_density(TABLE, POINTS),
    "exact sum": lambda: exact_sum(SOFT).model.predict(SINGLE, POINTS, 1),  # type: ignore[union-attr]
    "fmm3d": lambda: fmm3d(SOFT),
    "flux": lambda: flux(
        Probe(exact_sum(SOFT.hard).model, 2),  # type: ignore[arg-type]
        [Configuration(SOFT, TABLE, POINTS)],
    ),
}


@pytest.mark.slow
def test_a_picture_of_soft_bodies_has_the_solve_as_its_truth() -> None:
    """And the moments that it finds as arrows."""
    drawing = draw_sample(network(), SOFT, _block())
    true = solve_magnetisation(
        SOFT.hard, hard_table(SOFT, TABLE), susceptibility(SOFT, TABLE), applied_field(SOFT, TABLE)
    )
    x, y = drawing.axes
    place, corner = (40, 90), np.array([[x[90], y[40]]])
    np.testing.assert_allclose(drawing.true_potential[place], true.potential(corner)[0], rtol=1e-4)
    np.testing.assert_allclose(drawing.true_field[place], true.field(corner)[0], rtol=1e-4)
    tails, heads = drawing.arrows[:, 0], drawing.arrows[:, 1]
    along = np.sum((heads - tails) * np.asarray(true.moments), axis=1)
    lengths = np.linalg.norm(heads - tails, axis=1) * np.linalg.norm(true.moments, axis=1)
    np.testing.assert_allclose(along, lengths, rtol=1e-5)
    assert network().plot(TABLE).png.startswith(b"\x89PNG")


def test_predictions_from_a_file_stand_beside_the_labels_of_soft_bodies() -> None:
    """Which need no solve."""
    corners = np.array([[3, 1], [0, 2], [-2, -1], [1, -3]], np.float32)
    potential, field = np.ones((1, 4), np.float32), np.ones((1, 4, 2), np.float32)
    block = Block(
        sources=SINGLE, num_sources=COUNTS, grid=corners, potential=potential, field=field
    )
    drawing = draw_points(2 * potential, field, SOFT, block)
    inside = np.isfinite(drawing.potential)
    np.testing.assert_allclose(drawing.true_potential[inside], 1, rtol=1e-6)
    assert len(drawing.outlines) == 2


@pytest.mark.slow_cases
@pytest.mark.parametrize("place", PLACES)
def test_a_sum_of_soft_bodies_is_refused(place: str) -> None:
    """In one sentence, wherever it would be taken for the truth."""
    with refused(SourceError, "must be of hard magnets", "sources.solve_magnetisation"):
        PLACES[place]()


def test_bounds_of_sums_are_refused(tiny: Dataset) -> None:
    """Rank floors and linear control are fitted to the fields of single sources."""
    with refused(SourceError, "must be of hard magnets"):
        source_kernel(SOFT, tiny.split("train"))


def test_a_soft_table_is_none_of_hard_bodies() -> None:
    """The other way round it is: of susceptibility 0, whatever the applied field."""
    with refused(SourceError, "columns of the dataset"):
        converted(SOFT, SOFT.hard, TABLE)
    wanted = SourceColumns.of("disc", varying=["radius", "susceptibility", "applied_x"])
    np.testing.assert_array_equal(converted(SOFT, wanted, TABLE)[:, :6], TABLE)
    found = converted(SOFT.hard, wanted, TABLE[:, :5])
    np.testing.assert_array_equal(found[:, :5], TABLE[:, :5])
    assert not found[:, 5:].any()
    shared = SourceColumns.of(
        "disc", varying=["radius", "susceptibility"], constants={"applied_x": 3.0}
    )
    np.testing.assert_array_equal(converted(shared, wanted, TABLE)[:, 6], [3.0, 3.0])
    with refused(SourceError, "applied_x 0"):
        converted(SOFT, shared, TABLE)


def test_an_evaluation_says_what_it_leaves_out() -> None:
    """And leaves out what is no truth."""
    found = available_baselines(SOFT)
    assert not found.subjects
    assert "soft bodies answer to each other" in found.left_out[0]
    assert "Superposition is no law of soft bodies" in laws_left_out(SOFT)[0]
    assert laws_left_out(SOFT.hard) == ()
