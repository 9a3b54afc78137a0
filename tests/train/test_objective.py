"""The loss as a whole: against the published formulation, and what holds for every term."""

from functools import cache

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from objectives import (
    TERMS,
    assert_close,
    config_of,
    losses_and_gradients,
    losses_of,
    objective_of,
    perfected,
    random_batch,
)
from pydantic import ValidationError
from training_parts import MODEL

from hypermagnetics.models import Model
from hypermagnetics.train.aggregation import divided, loss_and_gradient
from hypermagnetics.train.config import ObjectiveConfig
from hypermagnetics.train.devices import DeviceBatch
from hypermagnetics.train.losses import Huber, Relative
from hypermagnetics.train.phases import trainable


def published_loss(model: Model, batch: DeviceBatch, rms: tuple[float, float]) -> jax.Array:
    """MSE through vmap(vmap(grad)): every point of every sample by itself."""

    def potential(table: jax.Array, point: jax.Array) -> jax.Array:
        return model(table, point[None])[0]

    over_points = jax.vmap(potential, in_axes=(None, 0))
    gradient = jax.vmap(jax.grad(potential, argnums=1), in_axes=(None, 0))
    block = jax.vmap(jax.vmap(over_points, in_axes=(0, None)))
    block_gradient = jax.vmap(jax.vmap(gradient, in_axes=(0, None)))
    errors = (
        (block(batch.sources, batch.grid) - batch.potential) / rms[0],
        (-block_gradient(batch.sources, batch.grid) - batch.field) / rms[1],
    )
    return jnp.mean(errors[0] ** 2) + 3 * jnp.mean(jnp.sum(errors[1] ** 2, axis=-1))


@pytest.mark.slow
def test_block_evaluation_equals_the_published_formulation() -> None:
    """The same loss and the same gradient."""
    terms = {
        "potential": {"of": "potential", "loss": "mse"},
        "field": {"of": "field", "loss": "mse", "weight": 3.0},
    }
    batch, rms = random_batch(), (0.7, 1.9)
    ((fast, fast_gradient),) = losses_and_gradients(objective_of(terms, rms), [batch])
    slow, slow_gradient = eqx.filter_jit(
        eqx.filter_value_and_grad(lambda model: published_loss(model, batch, rms))
    )(MODEL)
    assert float(fast.total) == pytest.approx(float(slow), rel=1e-5)
    assert_close(fast_gradient, slow_gradient)


def test_terms_are_reported_before_weighting() -> None:
    """The loss is their weighted sum; a phase weighs some of them anew."""
    config = {**TERMS["mse"], "weight": 0.5}, {**TERMS["huber"], "weight": 2.0}
    objective, batch = objective_of(dict(zip("ab", config, strict=True))), random_batch()
    losses, again = losses_of(objective, batch), losses_of(objective.weighted({"a": 7.0}), batch)
    assert losses.terms.keys() == again.terms.keys() == {"a", "b"}
    one, other = (float(losses.terms[name]) for name in "ab")
    assert (float(again.terms["a"]), float(again.terms["b"])) == (one, other)
    assert float(losses.total) == pytest.approx(0.5 * one + 2 * other, rel=1e-6)
    assert float(again.total) == pytest.approx(7 * one + 2 * other, rel=1e-6)


@pytest.mark.slow
def test_a_perfect_model_has_no_loss_and_no_slope() -> None:
    """Whatever the term; the gradient is finite at an error of exactly zero."""
    batch = perfected(random_batch())
    for name, value in losses_of(objective_of(TERMS), batch).terms.items():
        assert float(value) == pytest.approx(0, abs=1e-6), name
    # Every error is exactly zero where moments and truths are.
    nothing = jax.tree.map(jnp.zeros_like, (batch.sources, batch.potential, batch.field))
    empty = eqx.tree_at(lambda b: (b.sources, b.potential, b.field), batch, nothing)
    ((losses, gradient),) = losses_and_gradients(objective_of(TERMS), [empty])
    assert {name: float(value) for name, value in losses.terms.items()} == dict.fromkeys(TERMS, 0)
    assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(gradient))


@pytest.mark.slow
def test_samples_that_fill_up_a_block_do_not_count() -> None:
    """Whatever stands in them, and even if a user's loss has no gradient there."""
    objective = objective_of({**TERMS, "user": {"of": "field", "loss": "user:norm"}})
    batch = random_batch(blocks=1)
    short = eqx.tree_at(lambda b: b.num_samples, batch, jnp.array([3], jnp.int32))
    fill = (short.sources.at[0, 3].set(0), short.field.at[0, 3].set(0))
    zeros = eqx.tree_at(lambda b: (b.sources, b.field), short, fill)
    poisoned = eqx.tree_at(lambda b: b.field, short, short.field.at[0, 3].set(1e9))
    cut = jax.tree.map(lambda a: a[:, :3] if a.ndim > 1 and a.shape[1] == 4 else a, short)
    (expected, gradient), *others = losses_and_gradients(objective, [cut, zeros, poisoned])
    for losses, other in others:
        for name, value in expected.terms.items():
            assert float(losses.terms[name]) == pytest.approx(float(value), rel=1e-5), name
        assert_close(other, gradient)


@cache
def losses_of_samples() -> tuple[DeviceBatch, dict[str, jax.Array]]:
    """A batch, and every term of each of its samples alone."""
    objective, batch = objective_of(TERMS), random_batch(samples=6)
    evaluate = eqx.filter_jit(lambda model, some: objective.of_samples(model, some))
    return batch, evaluate(MODEL, batch)


@pytest.mark.slow
@settings(max_examples=15)
@given(st.lists(st.integers(0, 5), min_size=1, max_size=6, unique=True))
def test_every_term_is_a_sum_over_samples(chosen: list[int]) -> None:
    """Any part of a batch has the losses that its samples have in the whole one."""
    batch, each = losses_of_samples()
    places = np.array(chosen + chosen[:1] * (6 - len(chosen)))  # one shape is compiled once
    kept = {k: v for k, v in vars(batch).items() if k not in ("grid", "num_samples", "keys")}
    values = {k: v[:, places] for k, v in kept.items()}
    some = DeviceBatch(num_samples=jnp.full(2, len(chosen), jnp.int32), grid=batch.grid, **values)
    sums = summed(some)
    for name, losses in each.items():
        expected = np.asarray(losses)[:, chosen].sum()
        assert float(sums[name]) == pytest.approx(expected, rel=1e-5), name


@eqx.filter_jit
def summed(batch: DeviceBatch) -> dict[str, jax.Array]:
    """Every term of the small model, added over the samples that count."""
    return objective_of(TERMS).sums(MODEL, batch)


@pytest.mark.slow
@pytest.mark.parametrize("chunks", [pytest.param(2, marks=pytest.mark.slow), 3])
def test_chunks_have_the_loss_and_gradient_of_the_whole(chunks: int) -> None:
    """Also where samples are filled up to divide among them."""
    objective, batch = objective_of(TERMS), random_batch()
    assert divided(batch, chunks).sources.shape[0] == chunks
    trained = trainable(MODEL, ())
    (whole, gradient), (parts, other) = (
        eqx.filter_jit(lambda m, n=n: loss_and_gradient(objective, m, batch, trained, n))(MODEL)
        for n in (1, chunks)
    )
    assert whole.terms.keys() == parts.terms.keys()
    for name, value in whole.terms.items():
        assert float(parts.terms[name]) == pytest.approx(float(value), rel=1e-5), name
    assert_close(other, gradient)


def test_a_term_that_names_no_loss_has_that_of_the_objective() -> None:
    """A name alone is a loss with its defaults, and a table one with its numbers."""
    terms = {"a": {"of": "field"}, "b": {"of": "field", "loss": "relative"}}
    config = config_of(terms, loss={"kind": "huber", "delta": 2.0})
    assert config.loss_of("a") == Huber(delta=2.0)
    assert config.loss_of("b") == Relative(power=1.0, floor=0.01)
    assert config.losses_of_terms == {"b": "relative"}
    assert set(ObjectiveConfig().terms) == {"potential", "field"}
    assert ObjectiveConfig().loss == Huber()
    again = ObjectiveConfig.model_validate_json(config.model_dump_json())
    assert again == config


def test_places_of_losses() -> None:
    """The objective's own comes first, then the terms in their order."""
    terms = {name: {"of": "field", "loss": loss} for name, loss in (("a", "u:x"), ("b", "u:x"))}
    assert config_of(terms).place_of("u:x") == "objective.terms.a.loss"
    assert config_of(terms, loss="u:x").place_of("u:x") == "objective.loss"


@pytest.mark.parametrize(
    ("terms", "message"),
    [
        ({"a": {"of": "field", "delta": 2.0}}, "stand in the table of its loss"),
        (
            {"a": {"of": "field", "loss": {"kind": "mse", "delta": 2.0}}},
            "Extra inputs are not permitted",
        ),
        (
            {"a": {"of": "field", "loss": {"kind": "m:f", "floor": 2.0}}},
            "Extra inputs are not permitted",
        ),
        ({"a": {"of": "field", "loss": "spectral", "regions": {}}}, "no weights of points"),
        ({"a": {"of": "field", "weight": 0.0}}, "at least one term of positive weight"),
        ({}, "at least one term of positive weight"),
    ],
)
def test_terms_that_make_no_sense_are_refused(
    terms: dict[str, dict[str, object]], message: str
) -> None:
    """Rather than ignored."""
    with pytest.raises(ValidationError, match=message):
        config_of(terms)
