"""Steps: groups of any size, the average of the parameters, frozen parts."""

from collections.abc import Callable
from functools import cache

import equinox as eqx
import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
import optax
import optax.contrib
import pytest
from drawn_waves import drawn_waves
from training_parts import MODEL, dispatch_of, method, random_batch

from hypermagnetics.models import HyperLayerConfig, Model, build_model
from hypermagnetics.models.parts import parts_of
from hypermagnetics.train.phases import trainable
from hypermagnetics.train.step import Method, State, Steps, compiled_steps

BATCHES = [random_batch(seed=seed) for seed in range(7)]


def leaves(tree: object) -> list[np.ndarray]:
    """The arrays of a tree."""
    return [np.asarray(leaf) for leaf in jax.tree.leaves(tree) if eqx.is_array(leaf)]


def copy_of(model: Model) -> Model:
    """In memory of its own, as a step gives up what goes in."""
    copied: Model = jax.tree.map(lambda leaf: jnp.copy(leaf) if eqx.is_array(leaf) else leaf, model)
    return copied


@cache
def steps_of(most: int) -> tuple[Method, Steps]:
    """Compiled once for all tests."""
    made = method(ema_decay=0.9)
    return made, compiled_steps(made, most)


def after(most: int, groups: tuple[int, ...]) -> tuple[State, list[float]]:
    """The state after seven steps in groups, and their losses."""
    made, steps = steps_of(most)
    state, losses, done = made.begin(copy_of(MODEL)), [], 0
    for count in groups:
        state, found = steps(state, dispatch_of(BATCHES[done : done + count], most), done)
        losses += [float(value) for value in found.total]
        done += count
    return state, losses


@pytest.mark.slow
def test_any_groups_of_steps_are_the_same_bits() -> None:
    """However checkpoints and signals cut a run into dispatches."""
    one = after(4, (4, 3))
    for groups in ((1,) * 7, (2, 4, 1), (3, 3, 1)):
        other = after(4, groups)
        assert one[1] == other[1]
        for a, b in zip(leaves(one[0]), leaves(other[0]), strict=True):
            assert a.tobytes() == b.tobytes()


@pytest.mark.slow
def test_a_group_is_its_steps() -> None:
    """Up to rounding: another program may fuse otherwise."""
    one, other = after(1, (1,) * 7), after(4, (4, 3))
    np.testing.assert_allclose(one[1], other[1], rtol=1e-5)
    for a, b in zip(leaves(one[0].model), leaves(other[0].model), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-3, atol=1e-5)


@pytest.mark.slow
def test_the_average_follows_the_parameters() -> None:
    """Against its definition, step by step."""
    made, steps = steps_of(1)
    state = made.begin(copy_of(MODEL))
    expected = leaves(eqx.filter(MODEL, eqx.is_inexact_array))
    for number, batch in enumerate(BATCHES):
        state, _ = steps(state, dispatch_of([batch]), number)
        keep = min(0.9, (1 + number) / (10 + number))
        now = leaves(eqx.filter(state.model, eqx.is_inexact_array))
        expected = [keep * old + (1 - keep) * new for old, new in zip(expected, now, strict=True)]
    found = leaves(eqx.filter(state.result, eqx.is_inexact_array))
    for a, b in zip(found, expected, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-6)
    assert method().begin(MODEL).average is None


@pytest.mark.slow
def test_a_state_may_begin_as_the_parameters() -> None:
    """As that of prodigy does: a step gives up each array once, and none that was there before."""
    made = method(optimiser=optax.contrib.prodigy(1.0), ema_decay=0.9)
    one, other = dispatch_of(BATCHES[:1]), dispatch_of(BATCHES[1:2])
    state, losses = compiled_steps(made, 1)(made.begin(MODEL), one, 0)
    again, found = compiled_steps(made, 1)(made.begin(state.model, state.average), other, 1)
    assert np.isfinite([*losses.total, *found.total]).all()
    for array in jax.tree.leaves((MODEL, state, again)):
        assert not (eqx.is_array(array) and array.is_deleted())


@pytest.mark.slow
@pytest.mark.parametrize("part", ["hypernetwork", "hypernetwork.layers.0"])
def test_frozen_parts_keep_their_bits(part: str) -> None:
    """Also under an optimiser that decays weights; all others move."""
    made = method(optimiser=optax.adamw(1e-2, weight_decay=0.1), trained=trainable(MODEL, (part,)))
    state = made.begin(copy_of(MODEL))
    state, _ = compiled_steps(made, 1)(state, dispatch_of(BATCHES[:1]), 0)
    before, _ = jax.tree_util.tree_flatten_with_path(eqx.filter(MODEL, eqx.is_inexact_array))
    now = leaves(eqx.filter(state.model, eqx.is_inexact_array))
    for (path, old), new in zip(before, now, strict=True):
        name = jax.tree_util.keystr(path, simple=True, separator=".")
        same = np.asarray(old).tobytes() == new.tobytes()
        assert same == name.startswith(part + "."), name


@pytest.mark.slow
@pytest.mark.parametrize("name", ["frequencies", "waves"])
def test_what_a_model_keeps_keeps_its_bits(name: str) -> None:
    """Under an optimiser that decays weights, and without a word in the recipe."""
    drawn = HyperLayerConfig(
        width=4, depth=1, hwidth=0.5, hdepth=1, trunk_frequencies=3, source_frequencies=2
    )
    make: dict[str, Callable[[], Model]] = {
        "frequencies": lambda: build_model(drawn, MODEL.inputs, jr.key(0)),
        "waves": lambda: drawn_waves(MODEL.inputs, jr.key(0)),
    }
    model = make[name]()
    optimiser = optax.adamw(1e-2, weight_decay=0.1)
    made = method(optimiser=optimiser, trained=trainable(model, ()))
    state, _ = compiled_steps(made, 1)(made.begin(copy_of(model)), dispatch_of(BATCHES[:1]), 0)
    changed = [
        part.name
        for part, old, new in zip(
            parts_of(model)[0], jax.tree.leaves(model), jax.tree.leaves(state.model), strict=True
        )
        if np.asarray(old).tobytes() != np.asarray(new).tobytes()
    ]
    assert changed == [part.name for part in parts_of(model)[0] if part.is_trained]
    assert len(changed) < len(parts_of(model)[0])
