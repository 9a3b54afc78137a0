"""Optax transformations from names and numbers of a recipe."""

import difflib
import inspect
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import optax
import optax.contrib

from hypermagnetics.errors import RecipeError
from hypermagnetics.train.config import MethodConfig, PhaseConfig

_RATE = "learning_rate"


def learning_rate(phase: PhaseConfig) -> optax.Schedule:
    """Learning rate as a function of the previous steps of a phase.

    Args:
        phase: Linear warm-up, then a cosine.

    Returns:
        The schedule. Step k of a warm-up over w steps has k / w of the peak, so that none is idle;
        beyond the last step of the phase it stays at its end.
    """
    peak = phase.learning_rate
    warmup_steps = min(round(phase.warmup_fraction * phase.steps), phase.steps - 1)
    cosine = optax.cosine_decay_schedule(
        peak, phase.steps - warmup_steps, alpha=phase.final_fraction
    )
    if not warmup_steps:
        return cosine
    # At the last of its steps, counted from 0, the warm-up is at the peak.
    warmup = optax.linear_schedule(peak / warmup_steps, peak, max(warmup_steps - 1, 1))
    return optax.join_schedules([warmup, cosine], [warmup_steps])


def make_optimiser(config: MethodConfig, schedule: optax.Schedule) -> optax.GradientTransformation:
    """Optax optimiser with a learning rate, behind gradient clipping where a recipe has it.

    Args:
        config: Its name and arguments.
        schedule: The learning rate.

    Returns:
        The transformation.

    Raises:
        RecipeError: If optax has none of that name, or it does not take the arguments, or needs
            more than gradients.
    """
    known = optimisers()
    if config.name not in known:
        near = difflib.get_close_matches(config.name, known, n=3)
        advice = f"Nearest: {', '.join(near)}" if near else f"Known: {', '.join(sorted(known))}"
        raise RecipeError(
            "'optimiser.name' must be an optimiser of optax that takes a learning rate; got "
            f"{config.name!r}. {advice}."
        )
    try:
        found = known[config.name](**{_RATE: schedule}, **config.arguments)
        # What does not fit shows at the first update only, so one is made of shapes.
        jax.eval_shape(lambda: _updated(found))
    except (TypeError, ValueError, AttributeError, NotImplementedError) as error:
        raise RecipeError(
            f"'optimiser.arguments' must be arguments of optax's {config.name} that let it work on "
            f"gradients alone; got {config.arguments} ({error}). Its parameters: "
            f"{', '.join(_parameters(known[config.name]))}."
        ) from error
    if config.clip_norm is None:
        return found
    return optax.chain(optax.clip_by_global_norm(config.clip_norm), found)


def optimisers() -> dict[str, Callable[..., Any]]:
    """Optimisers of optax and optax.contrib with a learning rate, by name."""
    return {
        name: value
        for module in (optax.contrib, optax)
        for name, value in vars(module).items()
        if inspect.isfunction(value)
        # What is schedule-free is to be validated at other parameters than it trains.
        and not name.startswith(("_", "scale_by_", "schedule_free"))
        and _RATE in inspect.signature(value).parameters
    }


def _parameters(function: Callable[..., Any]) -> list[str]:
    return [name for name in inspect.signature(function).parameters if name != _RATE]


def _updated(optimiser: optax.GradientTransformation) -> Any:
    # What a phase does not train is None.
    parameters = {"weight": jnp.ones((2, 3)), "bias": jnp.ones(3), "frozen": None}
    return optimiser.update(parameters, optimiser.init(parameters), parameters)
