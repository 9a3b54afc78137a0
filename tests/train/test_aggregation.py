"""The gradient of a batch in parts is the gradient of the batch."""

import equinox as eqx
import jax
import numpy as np
import pytest
from training_parts import MODEL, objective, random_batch

from hypermagnetics.models import Model
from hypermagnetics.train.aggregation import divided, loss_and_gradient
from hypermagnetics.train.config.run import SumOrder
from hypermagnetics.train.devices import DeviceBatch
from hypermagnetics.train.objective import Losses
from hypermagnetics.train.phases import trainable


@eqx.filter_jit
def compiled(
    model: Model,
    batch: DeviceBatch,
    chunks: int,
    frozen: tuple[str, ...],
    order: SumOrder = "at-once",
) -> tuple[Losses, Model]:
    """Loss and gradient; compiled once for each shape of a batch."""
    trained = trainable(MODEL, frozen)
    return loss_and_gradient(objective(), model, batch, trained, chunks, order=order)


def of(batch: DeviceBatch, chunks: int, frozen: tuple[str, ...] = ()) -> tuple[Losses, Model]:
    """Loss and gradient of the model of the tests."""
    result: tuple[Losses, Model] = compiled(MODEL, batch, chunks, frozen)
    return result


def assert_close(one: object, other: object) -> None:
    """To 1e-5 of the largest entry."""
    for a, b in zip(jax.tree.leaves(one), jax.tree.leaves(other), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-5 * float(np.abs(b).max()))


@pytest.mark.slow
@pytest.mark.parametrize(("samples", "used"), [(12, 12), (13, 13), (13, 9), (5, 1)])
@pytest.mark.parametrize("chunks", [*(pytest.param(n, marks=pytest.mark.slow) for n in (2, 5)), 3])
def test_chunks_add_up(samples: int, used: int, chunks: int) -> None:
    """For numbers that do and do not divide, and blocks that are not full."""
    batch = random_batch(samples=samples, used=used)
    assert_close(of(batch, chunks), of(batch, 1))


@pytest.mark.slow
@pytest.mark.parametrize("chunks", [1, 3])
def test_blocks_add_up(chunks: int) -> None:
    """Also those that are not full."""
    batch = random_batch(samples=13, used=9)
    assert_close(compiled(MODEL, batch, chunks, (), "by-block"), of(batch, 1))


@pytest.mark.slow
def test_a_batch_of_empty_blocks_has_no_loss() -> None:
    """And a gradient of zeros, not of NaN."""
    losses, gradient = of(random_batch(used=0), 2)
    assert float(losses.total) == 0
    assert all(not np.any(leaf) for leaf in jax.tree.leaves(gradient))


def test_every_sample_is_in_one_chunk() -> None:
    """Those that count stand first in each."""
    batch = random_batch(samples=7, used=5)
    parts = divided(batch, 3)
    assert parts.sources.shape[:3] == (3, 2, 3)
    found = [
        parts.potential[chunk, block, i]
        for block in range(2)
        for chunk in range(3)
        for i in range(int(parts.num_samples[chunk, block]))
    ]
    expected = np.asarray(batch.potential[:, :5]).reshape(10, -1)
    assert sorted(map(tuple, np.stack(found))) == sorted(map(tuple, expected))


@pytest.mark.slow
def test_frozen_parts_have_no_gradient() -> None:
    """All others have the same as without."""
    batch = random_batch()
    _, gradient = of(batch, 1, ("hypernetwork",))
    _, whole = of(batch, 1)
    assert not jax.tree.leaves(gradient.hypernetwork)  # type: ignore[attr-defined]
    rest = eqx.tree_at(lambda model: model.hypernetwork, whole, replace=None)
    without = eqx.tree_at(lambda model: model.hypernetwork, gradient, replace=None)
    assert jax.tree.leaves(without)
    assert_close(without, rest)
