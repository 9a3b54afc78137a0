"""The symmetries of a recipe: functions of seed and step, and those that cannot be."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from labelled_batches import TABLES, inputs_of_columns, labelled, labelled_batch

from hypermagnetics.config import load_recipe
from hypermagnetics.errors import RecipeError
from hypermagnetics.sources import SourceColumns
from hypermagnetics.train.augmentation import make_augmentation
from hypermagnetics.train.augmentation.compose import SYMMETRIES
from hypermagnetics.train.config import SymmetryName, TrainingRecipe
from hypermagnetics.train.devices import DeviceBatch

_ALL: tuple[SymmetryName, ...] = tuple(SYMMETRIES)
_MIXED = inputs_of_columns(TABLES["mixed in 2D"])


def at_step(step: int, names: tuple[SymmetryName, ...] = _ALL, seed: int = 5) -> DeviceBatch:
    """What a step makes of a batch."""
    augment = make_augmentation(names, _MIXED, seed, "here")
    return jax.jit(augment)(labelled_batch("mixed in 2D"), jnp.asarray(step, jnp.int32))


@pytest.mark.slow
def test_all_symmetries_one_after_another_are_exact() -> None:
    """To 1e-9."""
    after = at_step(7)
    potential, field = labelled(TABLES["mixed in 2D"], after.sources, after.grid)
    np.testing.assert_allclose(after.potential, potential, atol=1e-9 * np.abs(potential).max())
    np.testing.assert_allclose(after.field, field, atol=1e-9 * np.abs(field).max())


@pytest.mark.slow
def test_a_batch_is_a_function_of_seed_and_step() -> None:
    """So that a run that is resumed sees what an undisturbed one does."""
    for a, b in zip(jax.tree.leaves(at_step(7)), jax.tree.leaves(at_step(7)), strict=True):
        np.testing.assert_array_equal(a, b)
    assert not np.array_equal(at_step(7).grid, at_step(8).grid)
    assert not np.array_equal(at_step(7).grid, at_step(7, seed=6).grid)


@pytest.mark.slow
def test_no_symmetry_is_no_change() -> None:
    """The very same arrays."""
    augment, batch = make_augmentation((), _MIXED, 0, "here"), labelled_batch("mixed in 2D")
    assert augment(batch, jnp.asarray(0, jnp.int32)) is batch


@pytest.mark.slow
def test_another_symmetry_leaves_the_draws_of_the_first() -> None:
    """Points are not touched by time reversal."""
    both = at_step(3, ("rotation", "time-reversal"))
    np.testing.assert_array_equal(both.grid, at_step(3, ("rotation",)).grid)


_TURNED = (np.cos(0.3), 0.0, 0.0, np.sin(0.3))
_QUARTER = (np.sqrt(0.5), 0.0, np.sqrt(0.5), 0.0)
_QUATERNION = ("rotation_w", "rotation_x", "rotation_y", "rotation_z")


def boxes(angle: float) -> SourceColumns:
    """Rectangles of one angle."""
    sides = {"dimension_x": 1.0, "dimension_y": 2.0}
    return SourceColumns.of("rectangle", constants={**sides, "angle": angle})


def cuboids(rotation: tuple[float, ...]) -> SourceColumns:
    """Cuboids of one rotation."""
    sides = {"dimension_x": 1.0, "dimension_y": 2.0, "dimension_z": 3.0}
    return SourceColumns.of(
        "cuboid", constants={**sides, **dict(zip(_QUATERNION, rotation, strict=True))}
    )


@pytest.mark.parametrize(
    ("columns", "refused"),
    [
        (SourceColumns.of("disc", constants={"radius": 1.0}), ("scaling",)),
        (SourceColumns.of("dipole", dim=3), ()),
        (boxes(0.0), ("rotation", "scaling", "quarter-turn")),
        (boxes(1.5707963), ("rotation", "scaling", "quarter-turn")),
        (boxes(0.3), ("rotation", "reflection", "scaling", "quarter-turn")),
        (cuboids((1.0, 0.0, 0.0, 0.0)), ("rotation", "scaling", "quarter-turn")),
        (cuboids(_QUARTER), ("rotation", "scaling", "quarter-turn")),
        (cuboids(_TURNED), ("rotation", "reflection", "scaling", "quarter-turn")),
    ],
    ids=str,
)
def test_symmetries_that_a_table_cannot_follow_are_refused(
    columns: SourceColumns, refused: tuple[str, ...]
) -> None:
    """Because what comes out has no column; each with what is missing."""
    for name in _ALL:
        if name in refused:
            with pytest.raises(
                RecipeError, match=rf"augment must .* got '{name}', which needs .*\(here\)"
            ):
                make_augmentation((name,), inputs_of_columns(columns), 0, "here")
        else:
            make_augmentation((name,), inputs_of_columns(columns), 0, "here")


@pytest.mark.slow
@pytest.mark.parametrize("columns", [boxes(1.5707963267948966), cuboids(_QUARTER)], ids=str)
def test_boxes_along_the_axes_are_reflected_with_a_constant_rotation(
    columns: SourceColumns,
) -> None:
    """They are their own mirror images."""
    random = np.random.default_rng(1)
    sources = jnp.asarray(random.normal(size=(2, 3, 3, columns.size)))
    grid = jnp.asarray(random.normal(size=(2, 12, columns.dim)))
    batch = DeviceBatch(
        sources, jnp.asarray([3, 3], jnp.int32), grid, *labelled(columns, sources, grid)
    )
    augment = make_augmentation(("reflection",), inputs_of_columns(columns), 0, "here")
    moved = 0
    for step in range(6):
        after = augment(batch, jnp.asarray(step, jnp.int32))
        moved += not np.array_equal(after.grid, batch.grid)
        field = labelled(columns, after.sources, after.grid)[1]
        np.testing.assert_allclose(after.field, field, atol=1e-9 * np.abs(field).max())
    assert moved >= 3


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ('["rotatoin"]', r"must be one of rotation, .*got 'rotatoin'.*Did you mean 'rotation'"),
        ('["rotation", "rotation"]', "each once"),
        ("[3]", "'data.augment.* must "),
    ],
)
def test_unknown_symmetries_are_refused(value: str, message: str) -> None:
    """With the nearest name."""
    with pytest.raises(RecipeError, match=message):
        load_recipe(TrainingRecipe, "training", "demo", (f"data.augment={value}",))
