"""The phases of a training: their steps and methods."""

from collections.abc import Sequence
from dataclasses import dataclass

import optax

from hypermagnetics.models import Model
from hypermagnetics.train.batch import Augmentation, unchanged
from hypermagnetics.train.config import TrainingRecipe
from hypermagnetics.train.objective import Objective
from hypermagnetics.train.optimiser import learning_rate, make_optimiser
from hypermagnetics.train.parts import trainable
from hypermagnetics.train.step import Method


@dataclass(frozen=True)
class Phase:
    """A stretch of steps."""

    first: int
    """Number of steps before the phase."""
    end: int | None
    """Number of steps until its end; None for the last one, which has none."""
    rate: optax.Schedule
    """Learning rate as a function of the previous steps of the phase."""
    method: Method

    def learning_rate(self, step: int) -> float:
        """Learning rate of the step that follows `step` steps of the training."""
        return float(self.rate(step - self.first))


def make_phases(
    recipe: TrainingRecipe, objective: Objective, model: Model, augment: Augmentation = unchanged
) -> tuple[Phase, ...]:
    """The phases of a recipe.

    Args:
        recipe: The recipe.
        objective: Its objective.
        model: A model of the right structure; shapes are enough.
        augment: Augmentation of a batch before the model.

    Returns:
        The phases, one after another.

    Raises:
        RecipeError: If an optimiser, or a part of the model that is frozen, does not exist.
    """
    phases: list[Phase] = []
    stretches = recipe.schedule.stretches
    for config in stretches:
        first = phases[-1].end or 0 if phases else 0
        rate = learning_rate(config)
        method = Method(
            objective=objective.weighted(config.weights),
            optimiser=make_optimiser(config.optimiser or recipe.optimiser.method, rate),
            trained=trainable(model, config.freeze),
            ema_decay=recipe.optimiser.ema_decay,
            chunks=recipe.compute.chunks,
            augment=augment,
        )
        last = config is stretches[-1]
        phases.append(Phase(first, None if last else first + config.steps, rate, method))
    return tuple(phases)


def phase_of(phases: Sequence[Phase], step: int) -> Phase:
    """Phase of the step that follows `step` steps."""
    return next(phase for phase in phases if phase.end is None or step < phase.end)
