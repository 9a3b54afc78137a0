"""Phases: which steps they hold, any optimiser of optax, parts by name."""

import warnings

import jax.numpy as jnp
import optax
import pytest
from training_parts import MODEL, objective

from hypermagnetics.config import load_recipe
from hypermagnetics.errors import RecipeError
from hypermagnetics.train.config import MethodConfig, TrainingRecipe
from hypermagnetics.train.optimiser import make_optimiser, optimisers
from hypermagnetics.train.phases import make_phases, phase_of, trainable

THREE = (
    "schedule={phases=["
    "{steps=3, learning_rate=0.1},"
    "{steps=4, learning_rate=0.2, freeze=['hypernetwork'], weights={field=0.0}},"
    "{steps=5, learning_rate=0.3, optimiser={name='sgd', arguments={momentum=0.9}}}]}"
)


def recipe(*overrides: str) -> TrainingRecipe:
    """The demo with other phases."""
    return load_recipe(TrainingRecipe, "training", "demo", overrides)


def test_phases_follow_each_other() -> None:
    """Each with its own rate, weights and parts; the last one has no end."""
    phases = make_phases(recipe(THREE), objective(), MODEL)
    assert [(phase.first, phase.end) for phase in phases] == [(0, 3), (3, 7), (7, None)]
    found = [phases.index(phase_of(phases, step)) for step in (0, 2, 3, 6, 7, 11, 10**6)]
    assert found == [0, 0, 1, 1, 2, 2, 2]
    rates = [phase_of(phases, step).learning_rate(step) for step in (2, 5, 500)]
    assert rates == pytest.approx([0.1, 0.2, 0.3])
    weights = [phase.method.objective.terms["field"].weight for phase in phases]
    assert weights == [1.0, 0.0, 1.0]
    assert not any(phases[1].method.trained.hypernetwork.layers[0])  # type: ignore[attr-defined]
    assert recipe(THREE).schedule.num_steps == 12


@pytest.mark.slow_cases
@pytest.mark.parametrize("name", ["adamw", "lion", "muon", "sgd", "adafactor", "prodigy", "radam"])
def test_optimisers_of_optax_go_by_their_names(name: str) -> None:
    """Each moves a parameter."""
    made = make_optimiser(MethodConfig(name=name), optax.constant_schedule(0.1))
    parameters = {"matrix": jnp.ones((3, 4))}
    updates, _ = made.update(parameters, made.init(parameters), parameters)
    assert bool(jnp.any(updates["matrix"] != 0))


def test_most_optimisers_of_optax_work() -> None:
    """A release of optax that changes their form would be noticed."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of optax, about what it is going to change
        works = 0
        for name in optimisers():
            try:
                make_optimiser(MethodConfig(name=name), optax.constant_schedule(0.1))
            except RecipeError:
                continue
            works += 1
    assert works >= 30


def test_arguments_reach_the_optimiser() -> None:
    """Momentum adds up."""
    method = MethodConfig(name="sgd", arguments={"momentum": 0.5})
    made = make_optimiser(method, optax.constant_schedule(1.0))
    state = made.init(jnp.zeros(1))
    first, state = made.update(jnp.ones(1), state)
    second, _ = made.update(jnp.ones(1), state)
    assert (float(first[0]), float(second[0])) == (-1.0, -1.5)


def test_a_clipped_gradient_keeps_its_direction() -> None:
    """(3, 4) of norm 5 becomes (0.6, 0.8)."""
    method = MethodConfig(name="sgd", clip_norm=1.0)
    made = make_optimiser(method, optax.constant_schedule(1.0))
    updates, _ = made.update(jnp.array([3.0, 4.0]), made.init(jnp.zeros(2)))
    assert updates.tolist() == pytest.approx([-0.6, -0.8])


@pytest.mark.parametrize(
    ("method", "message"),
    [
        ({"name": "adma"}, r"must be an optimiser of optax .* got 'adma'. Nearest: adam.*, adam"),
        ({"name": "zzz"}, r"got 'zzz'. Known: .*adam, "),
        ({"name": "schedule_free_adamw"}, "must be an optimiser of optax"),
        ({"arguments": {"b3": 0.5}}, r"optax's adam .* got {'b3': 0.5} .* Its parameters: b1, b2"),
        ({"arguments": {"b1": "much"}}, r"optax's adam .* got {'b1': 'much'}"),
        ({"name": "lbfgs"}, "optax's lbfgs that let it work on gradients alone"),
        ({"name": "galore"}, "optax's galore that let it work"),  # not on parts of a model
    ],
)
def test_optimisers_that_do_not_exist_are_refused(method: dict[str, object], message: str) -> None:
    """With the nearest names, or the arguments there are."""
    with pytest.raises(RecipeError, match=message):
        make_optimiser(MethodConfig.model_validate(method), optax.constant_schedule(0.1))


@pytest.mark.parametrize(
    ("frozen", "message"),
    [
        (("hypernetwrk",), r"got 'hypernetwrk' .* Did you mean 'hypernetwork'"),
        (("hypernetwork", "trunk"), "got all of it frozen"),
        (("hypernetwork.layers.9",), "Did you mean 'hypernetwork.layers"),
    ],
)
def test_parts_that_cannot_be_frozen_are_refused(frozen: tuple[str, ...], message: str) -> None:
    """With the nearest part."""
    with pytest.raises(RecipeError, match=message):
        trainable(MODEL, frozen)
