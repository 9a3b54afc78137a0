"""The loss: closed forms, and the fast evaluation against the published formulation."""

from collections.abc import Callable

import equinox as eqx
import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
import pytest

from hypermagnetics.models import HyperLayer, Model
from hypermagnetics.models.hyper_layer import HyperLayerConfig
from hypermagnetics.train.batch import DeviceBatch
from hypermagnetics.train.config import ObjectiveConfig, TermConfig
from hypermagnetics.train.objective import Objective, huber, make_objective

_MODEL = HyperLayer(
    config=HyperLayerConfig(width=10, depth=2, hwidth=0.5, hdepth=1),
    hyperkey=jr.key(0),
    mainkey=jr.key(1),
)


def random_batch(blocks: int = 2, samples: int = 4, points: int = 6) -> DeviceBatch:
    """Normal numbers in the shapes of a batch."""
    keys = jr.split(jr.key(2), 4)

    def normal(key: jax.Array, *shape: int) -> jax.Array:
        return jr.normal(key, shape, jnp.float32)

    return DeviceBatch(
        normal(keys[0], blocks, samples, 3, 4),
        jnp.full(blocks, samples, jnp.int32),
        normal(keys[1], blocks, points, 2),
        normal(keys[2], blocks, samples, points),
        normal(keys[3], blocks, samples, points, 2),
    )


def weighted(potential: float, field: float, **settings: object) -> ObjectiveConfig:
    """The usual two terms with other weights."""
    terms = {
        "potential": TermConfig(of="potential", weight=potential),
        "field": TermConfig(of="field", weight=field),
    }
    return ObjectiveConfig(terms=terms, **settings)  # type: ignore[arg-type]


def published_loss(model: Model, batch: DeviceBatch, objective: Objective) -> jax.Array:
    """MSE through vmap(vmap(grad)): every point of every sample by itself."""

    def potential(table: jax.Array, point: jax.Array) -> jax.Array:
        return model(table, point[None])[0]

    over_points = jax.vmap(potential, in_axes=(None, 0))
    gradient = jax.vmap(jax.grad(potential, argnums=1), in_axes=(None, 0))
    block = jax.vmap(jax.vmap(over_points, in_axes=(0, None)))
    block_gradient = jax.vmap(jax.vmap(gradient, in_axes=(0, None)))
    errors = (
        (block(batch.sources, batch.grid) - batch.potential) / objective.terms["potential"].rms,
        (-block_gradient(batch.sources, batch.grid) - batch.field) / objective.terms["field"].rms,
    )
    return jnp.mean(errors[0] ** 2) + 3 * jnp.mean(jnp.sum(errors[1] ** 2, axis=-1))


def value_and_gradient(loss: Callable[[Model], jax.Array]) -> tuple[jax.Array, Model]:
    """A loss of the small model, compiled."""
    result: tuple[jax.Array, Model] = eqx.filter_jit(eqx.filter_value_and_grad(loss))(_MODEL)
    return result


def test_block_evaluation_equals_the_published_formulation() -> None:
    """The same loss and the same gradient."""
    objective = make_objective(weighted(1.0, 3.0, loss="mse"), 0.7, 1.9)
    batch = random_batch()
    fast, fast_gradient = value_and_gradient(lambda m: objective(m, batch).total)
    slow, slow_gradient = value_and_gradient(lambda m: published_loss(m, batch, objective))
    assert float(fast) == pytest.approx(float(slow), rel=1e-5)
    for a, b in zip(jax.tree.leaves(fast_gradient), jax.tree.leaves(slow_gradient), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-3, atol=1e-5 * float(jnp.abs(b).max()))


def test_samples_that_fill_up_a_block_do_not_count() -> None:
    """Whatever stands in them."""
    objective = make_objective(ObjectiveConfig(delta=0.1), 1.0, 1.0)
    batch = random_batch(blocks=1)
    short = eqx.tree_at(lambda b: b.num_samples, batch, jnp.array([3], jnp.int32))
    poisoned = eqx.tree_at(lambda b: b.potential, short, short.potential.at[0, 3].set(1e9))
    cut = jax.tree.map(lambda a: a[:, :3] if a.ndim > 1 and a.shape[1] == 4 else a, short)
    evaluate = eqx.filter_jit(lambda model, batch: objective(model, batch))
    losses = [float(evaluate(_MODEL, b).total) for b in (poisoned, cut)]
    assert losses[0] == pytest.approx(losses[1], rel=1e-6)


def test_a_perfect_model_has_no_loss() -> None:
    """And the terms are reported before weighting."""
    batch = random_batch()
    values = [_MODEL.block(s, g) for s, g in zip(batch.sources, batch.grid, strict=True)]
    perfect = eqx.tree_at(
        lambda b: (b.potential, b.field),
        batch,
        (jnp.stack([v[0] for v in values]), jnp.stack([v[1] for v in values])),
    )
    for loss in ("huber", "mse"):
        losses = make_objective(ObjectiveConfig(loss=loss), 1.0, 1.0)(_MODEL, perfect)
        assert float(losses.total) == pytest.approx(0, abs=1e-10)
    losses = make_objective(weighted(2.0, 0.5, delta=0.3), 1.0, 1.0)(_MODEL, batch)
    total = 2.0 * float(losses.terms["potential"]) + 0.5 * float(losses.terms["field"])
    assert float(losses.total) == pytest.approx(total, rel=1e-6)


def test_huber_is_quadratic_then_linear() -> None:
    """Closed form on either side, continuous with its slope, finite gradient at zero."""
    delta = 0.2
    errors = jnp.array([0.0, 0.1, 0.2, 0.2000001, 5.0])
    expected = [0.0, 0.01 / 0.4, 0.1, 0.1000001, 4.9]
    np.testing.assert_allclose(huber(errors**2, delta), expected, rtol=1e-6)
    slope = jax.vmap(jax.grad(lambda e: huber(e**2, delta)))(errors)
    np.testing.assert_allclose(slope, [0.0, 0.5, 1.0, 1.0, 1.0], rtol=1e-5, atol=1e-12)
