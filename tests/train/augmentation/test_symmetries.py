"""Every symmetry on every kind of magnet: labels that are carried along are the exact ones."""

from collections.abc import Callable
from dataclasses import replace
from functools import cache, partial

import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
import pytest
from labelled_batches import COUNTS, TABLES, labelled, labelled_batch

from hypermagnetics.train.augmentation.compose import SYMMETRIES
from hypermagnetics.train.devices import DeviceBatch

_EVERY_KIND = pytest.mark.parametrize("kind", TABLES)
_EVERY_SYMMETRY = pytest.mark.parametrize("name", SYMMETRIES)


@cache
def compiled(name: str, kind: str) -> Callable[[DeviceBatch, jax.Array], DeviceBatch]:
    """One symmetry of one kind of magnets."""
    return jax.jit(partial(SYMMETRIES[name].apply, TABLES[kind]))  # type: ignore[index]


def applied(name: str, kind: str, batch: DeviceBatch, seed: int = 0) -> DeviceBatch:
    """The batch after one symmetry."""
    return compiled(name, kind)(batch, jr.key(seed))


@pytest.mark.slow_cases
@_EVERY_KIND
@_EVERY_SYMMETRY
def test_labels_carried_along_are_exact(kind: str, name: str) -> None:
    """To 1e-9 of the largest of their sample, against the sums over the changed sources."""
    before, moved = labelled_batch(kind), 0
    for seed in range(6):  # a few draws, among them mirrors that turn right into left
        after = applied(name, kind, before, seed)
        moved += not np.allclose(after.sources, before.sources)
        exact = labelled(TABLES[kind], after.sources, after.grid)
        for carried, true in zip((after.potential, after.field), exact, strict=True):
            largest = np.abs(true).max(axis=tuple(range(2, true.ndim)), keepdims=True)
            assert (np.abs(carried - true) <= 1e-9 * largest).all()
    assert moved >= 3


@pytest.mark.slow_cases
@_EVERY_KIND
@_EVERY_SYMMETRY
def test_padding_stays_padding(kind: str, name: str) -> None:
    """Rows past the sources stay zero, also of rotations, and no sample comes or goes."""
    before = labelled_batch(kind)
    after = applied(name, kind, before)
    padding = np.arange(3) >= COUNTS[..., None]
    assert not np.asarray(after.sources)[padding].any()
    np.testing.assert_array_equal(after.num_samples, before.num_samples)
    assert jax.tree.map(np.shape, after) == jax.tree.map(np.shape, before)


@pytest.mark.slow_cases
@_EVERY_KIND
@_EVERY_SYMMETRY
def test_what_a_body_has_no_use_for_stays_zero(kind: str, name: str) -> None:
    """Rows of a mixed table stay such as a dataset has them."""
    before = np.asarray(labelled_batch(kind).sources)
    after = np.asarray(applied(name, kind, labelled_batch(kind)).sources)
    columns, width = TABLES[kind], 2 * TABLES[kind].dim
    behind = [i for i in range(width, columns.size) if not columns.names[i].startswith("rot")]
    np.testing.assert_array_equal((after != 0)[..., behind], (before != 0)[..., behind])


@pytest.mark.slow
@_EVERY_SYMMETRY
def test_float32_stays_float32(name: str) -> None:
    """As the arrays of a dataset are."""
    before = jax.tree.map(
        lambda a: a.astype(np.float32) if a.dtype == np.float64 else a,
        labelled_batch("mixed in 2D"),
    )
    after = applied(name, "mixed in 2D", before)
    assert jax.tree.map(np.dtype, jax.tree.map(lambda a: a.dtype, after)) == jax.tree.map(
        lambda a: a.dtype, before
    )


@pytest.mark.slow_cases
@_EVERY_SYMMETRY
def test_draws_depend_on_the_key_alone(name: str) -> None:
    """The same key twice, and another one."""
    batch = labelled_batch("mixed in 2D")
    one, again, other = (applied(name, "mixed in 2D", batch, seed) for seed in (0, 0, 3))
    for a, b in zip(jax.tree.leaves(one), jax.tree.leaves(again), strict=True):
        np.testing.assert_array_equal(a, b)
    assert not np.array_equal(one.sources, other.sources)


@pytest.mark.slow_cases
@_EVERY_SYMMETRY
def test_samples_that_fill_up_a_block_change_no_other(name: str) -> None:
    """However many devices share the samples, the same comes out."""
    batch = labelled_batch("mixed in 2D")
    filled = jax.tree.map(
        lambda a: (
            np.pad(a, ((0, 0), (0, 2), *((0, 0),) * (a.ndim - 2)))
            if a.ndim > 1 and a.shape[1] == COUNTS.shape[1]
            else a
        ),
        batch,
    )
    few, many = applied(name, "mixed in 2D", batch), applied(name, "mixed in 2D", filled)
    np.testing.assert_array_equal(many.sources[:, :3], few.sources)
    np.testing.assert_array_equal(many.potential[:, :3], few.potential)
    assert not np.asarray(many.field[:, 3:]).any()


@pytest.mark.slow
def test_rotations_are_uniform() -> None:
    """Of many directions that one vector turns to, the mean is 0 and the squares are 1/dim."""
    for kind, dim in (("disc in 2D", 2), ("sphere in 3D", 3)):
        one = labelled_batch(kind)
        many = jax.tree.map(lambda a: np.repeat(a[:1], 4000, axis=0), one)
        turned = np.asarray(applied("rotation", kind, many).grid)[:, 0]
        directions = turned / np.linalg.norm(turned, axis=-1, keepdims=True)
        assert np.abs(directions.mean(axis=0)).max() < 0.05
        np.testing.assert_allclose(directions.T @ directions / 4000, np.eye(dim) / dim, atol=0.04)


@pytest.mark.slow
def test_quarter_turns_are_the_rotations_of_a_square_and_a_cube() -> None:
    """4 and 24, each as often as the others, and no mirror image."""
    for kind, dim, order in (("disc in 2D", 2, 4), ("sphere in 3D", 3, 24)):
        one = labelled_batch(kind)
        many = jax.tree.map(lambda a: np.repeat(a[:1], 4800, axis=0), one)
        grid = np.zeros_like(many.grid)
        grid[:, :dim] = np.eye(dim)
        many = replace(many, grid=jnp.asarray(grid), field=jnp.asarray(many.field))
        turned = np.asarray(applied("quarter-turn", kind, many).grid)[:, :dim]
        matrices, counts = np.unique(np.round(turned), axis=0, return_counts=True)
        np.testing.assert_allclose(turned, np.round(turned), atol=1e-6)
        assert len(matrices) == order
        np.testing.assert_allclose(np.linalg.det(matrices), 1)
        np.testing.assert_allclose(counts * order / 4800, 1, atol=0.35)
