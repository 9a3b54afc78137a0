"""Objectives and batches for tests: discs of radius 1 on a regular grid."""

from collections.abc import Mapping, Sequence

import equinox as eqx
import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
from training_parts import MODEL

from hypermagnetics.grids import regular_grid
from hypermagnetics.models import Model
from hypermagnetics.sources import SourceColumns
from hypermagnetics.train.config import ObjectiveConfig
from hypermagnetics.train.devices import DeviceBatch
from hypermagnetics.train.objective import Losses, SumOfTerms, make_objective
from hypermagnetics.train.terms import Facts

DISCS = SourceColumns.of("disc", constants={"radius": 1.0})


def norm(error: jax.Array, truth: jax.Array) -> jax.Array:
    """A loss as a user may write it: without a gradient at an error of zero."""
    return jnp.sqrt(jnp.sum(error**2, axis=-1))


TERMS: dict[str, dict[str, object]] = {
    "mse": {"of": "field", "loss": "mse"},
    "huber": {"of": "potential", "loss": {"kind": "huber", "delta": 0.3}},
    "relative": {"of": "field", "loss": "relative"},
    "relative-squared": {
        "of": "potential",
        "loss": {"kind": "relative", "power": 2.0, "floor": 0.2},
    },
    "sample-relative": {"of": "field", "loss": "sample-relative"},
    "spectral": {"of": "potential", "loss": "spectral"},
    "spectral-field": {"of": "field", "loss": {"kind": "spectral", "order": -0.5}},
    "near": {"of": "field", "regions": {"inside": 0.5, "near": 3.0, "beyond": 0.25}},
    "sample-near": {"of": "field", "loss": "sample-relative", "regions": {"beyond": 0.0}},
}
"""One of each loss that is shipped, and some more, by a name of their own."""


def config_of(terms: Mapping[str, Mapping[str, object]], **others: object) -> ObjectiveConfig:
    """As a recipe has it."""
    return ObjectiveConfig.model_validate({"terms": terms, **others})


def objective_of(
    terms: Mapping[str, Mapping[str, object]], rms: tuple[float, float] = (0.7, 1.9)
) -> SumOfTerms:
    """An objective of some terms; `user:norm` is `norm`."""
    return make_objective(config_of(terms), Facts(DISCS, *rms), {"user:norm": norm})


def random_batch(blocks: int = 2, samples: int = 4, side: int = 5) -> DeviceBatch:
    """Normal numbers in the shapes of a batch, on a regular grid; each sample has padding."""
    keys, points = jr.split(jr.key(2), 3), side**2

    def normal(key: jax.Array, *shape: int) -> jax.Array:
        return jr.normal(key, shape, jnp.float32)

    grid = regular_grid(3.0, side, 2).astype(jnp.float32)
    return DeviceBatch(
        normal(keys[0], blocks, samples, 3, 4).at[:, :, 2].set(0),
        jnp.full(blocks, samples, jnp.int32),
        jnp.broadcast_to(grid, (blocks, *grid.shape)),
        normal(keys[1], blocks, samples, points),
        normal(keys[2], blocks, samples, points, 2),
    )


def perfected(batch: DeviceBatch, error: float = 0.0) -> DeviceBatch:
    """The same samples with what the model says, and an error added to it, as the truth."""
    values = [MODEL.block(s, g) for s, g in zip(batch.sources, batch.grid, strict=True)]
    truth = (jnp.stack([v[0] for v in values]) + error, jnp.stack([v[1] for v in values]) + error)
    changed: DeviceBatch = eqx.tree_at(lambda b: (b.potential, b.field), batch, truth)
    return changed


def losses_of(objective: SumOfTerms, batch: DeviceBatch) -> Losses:
    """Of the small model, compiled."""
    found: Losses = eqx.filter_jit(lambda model, some: objective(model, some))(MODEL, batch)
    return found


def losses_and_gradients(
    objective: SumOfTerms, batches: Sequence[DeviceBatch]
) -> list[tuple[Losses, Model]]:
    """Losses of the small model on each batch, and the gradients of their totals, compiled."""

    def total(model: Model, batch: DeviceBatch) -> tuple[jax.Array, Losses]:
        losses = objective(model, batch)
        return losses.total, losses

    compiled = eqx.filter_jit(eqx.filter_grad(total, has_aux=True))
    return [compiled(MODEL, batch)[::-1] for batch in batches]


def assert_close(one: Model, other: Model) -> None:
    """Two gradients, to 1e-5 of the largest entry of each array."""
    for a, b in zip(jax.tree.leaves(one), jax.tree.leaves(other), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-3, atol=1e-5 * float(np.abs(b).max()))
