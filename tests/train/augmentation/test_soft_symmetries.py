"""Symmetries of soft bodies in an applied field, which follows moments and rotations."""

import jax.numpy as jnp
import jax.random as jr
import numpy as np
import pytest
from labelled_batches import inputs_of_columns

from hypermagnetics.errors import RecipeError
from hypermagnetics.sources import SourceColumns, block_superposition
from hypermagnetics.sources.geometry import volumes
from hypermagnetics.table import APPLIED, applied_field, hard_table, susceptibility
from hypermagnetics.train.augmentation import make_augmentation
from hypermagnetics.train.augmentation.compose import SYMMETRIES
from hypermagnetics.train.config import SymmetryName
from hypermagnetics.train.devices import DeviceBatch

COLUMNS = {
    2: SourceColumns.of("disc", varying=["radius", "susceptibility", *APPLIED[:2]]),
    3: SourceColumns.of("sphere", varying=["radius", "susceptibility", *APPLIED]),
}
_POINTS = 9


def labelled(
    columns: SourceColumns, sources: jnp.ndarray, grid: jnp.ndarray
) -> tuple[jnp.ndarray, jnp.ndarray]:
    """Exact values of one soft ball in each sample, alone in a uniform field.

    Its moment is (m + chi V H) / (1 + chi / d): Jackson, Classical Electrodynamics, section 5.11.
    """
    rows, dim = sources[:, :, 0], columns.dim
    hard = hard_table(columns, rows)
    chi, field = susceptibility(columns, rows)[..., None], applied_field(columns, rows)
    volume = volumes(columns, np.asarray(rows).reshape(-1, columns.size)).reshape(chi.shape)
    moments = (hard[..., :dim] + chi * volume * field) / (1 + chi / dim)
    tables = hard.at[..., :dim].set(moments)[:, :, None]
    one = jnp.ones(tables.shape[1], jnp.int32)
    found = [
        block_superposition(columns.hard, block, one, points)
        for block, points in zip(tables, grid, strict=True)
    ]
    return jnp.stack([phi for phi, _ in found]), jnp.stack([h for _, h in found])


def batch(columns: SourceColumns) -> DeviceBatch:
    """Two blocks of three samples of one ball, some without remanence, and a row of padding."""
    random, dim = np.random.default_rng(3), columns.dim
    rows = random.normal(size=(2, 3, 2, columns.size))
    rows[..., columns.index("radius")] = random.uniform(0.2, 0.8, (2, 3, 2))
    rows[..., columns.index("susceptibility")] = random.uniform(1, 100, (2, 3, 2))
    rows[0, :, :, :dim] = 0
    rows[:, :, 1] = 0
    sources = jnp.asarray(rows)
    grid = jnp.asarray(random.normal(size=(2, _POINTS, dim)))
    counts = jnp.asarray([3, 3], jnp.int32)
    return DeviceBatch(sources, counts, grid, *labelled(columns, sources, grid))


@pytest.mark.slow
@pytest.mark.parametrize("dim", [2, 3])
@pytest.mark.parametrize("name", SYMMETRIES)
def test_labels_carried_along_are_exact(name: SymmetryName, dim: int) -> None:
    """Of a ball that the field magnetises, with or without remanence."""
    columns = COLUMNS[dim]
    before, moved = batch(columns), 0
    for seed in range(4):
        after = SYMMETRIES[name].apply(columns, before, jr.key(seed))
        moved += not np.allclose(after.sources, before.sources)
        assert not np.asarray(after.sources)[:, :, 1].any()
        exact = labelled(columns, after.sources, after.grid)
        for carried, true in zip((after.potential, after.field), exact, strict=True):
            np.testing.assert_allclose(carried, true, atol=1e-9 * np.abs(true).max())
    assert moved >= 2


@pytest.mark.parametrize(
    ("varying", "constants", "names"),
    [
        ([], {}, set()),
        (APPLIED[:2], {}, set()),
        (APPLIED[:1], {}, {"rotation", "quarter-turn"}),
        ([], {"applied_y": 2.0}, {*SYMMETRIES} - {"scaling"}),
    ],
)
def test_a_field_that_cannot_follow_is_refused(varying, constants, names) -> None:
    """One that all samples share is no column, which could be turned or reversed."""
    soft = ["radius", "susceptibility", *varying]
    columns = SourceColumns.of("disc", varying=soft, constants=constants)
    for name in SYMMETRIES:
        if name in names:
            with pytest.raises(RecipeError, match=f"got '{name}', which needs columns of its own"):
                make_augmentation((name,), inputs_of_columns(columns), 0, "here")
        else:
            make_augmentation((name,), inputs_of_columns(columns), 0, "here")
