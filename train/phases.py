"""The phases of a training: their steps, methods and trained parts of the model."""

from collections.abc import Sequence
from dataclasses import dataclass

import jax
import optax
from jaxtyping import PyTree

from hypermagnetics.config import nearest
from hypermagnetics.errors import RecipeError
from hypermagnetics.models import AnyModel
from hypermagnetics.models.parts import parts_of
from hypermagnetics.train.config import TrainingRecipe
from hypermagnetics.train.devices import Augmentation, Devices, unchanged
from hypermagnetics.train.objective import Objective
from hypermagnetics.train.optimiser import learning_rate, make_optimiser
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
    recipe: TrainingRecipe,
    objective: Objective,
    model: AnyModel,
    augment: Augmentation = unchanged,
    devices: Devices | None = None,
) -> tuple[Phase, ...]:
    """The phases of a recipe.

    Args:
        recipe: The recipe.
        objective: Its objective.
        model: A model of the right structure; shapes are enough.
        augment: Augmentation of a batch before the model.
        devices: Devices that share a batch; None for one alone.

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
            sums=recipe.compute.sums,
            augment=augment,
            matmul=recipe.compute.matmul,
            norms=recipe.tracking.norms,
            devices=devices,
        )
        last = config is stretches[-1]
        phases.append(Phase(first, None if last else first + config.steps, rate, method))
    return tuple(phases)


def phase_of(phases: Sequence[Phase], step: int) -> Phase:
    """Phase of the step that follows `step` steps."""
    return next(phase for phase in phases if phase.end is None or step < phase.end)


def trainable(model: AnyModel, frozen: tuple[str, ...]) -> PyTree[bool]:
    """Mask of the trained leaves of a model.

    Args:
        model: The model; shapes are enough.
        frozen: Beginnings of the names of leaves that are not, such as "trunk" or
            "hypernetwork.layers.0".

    Returns:
        The model with True for its trained arrays, False for all else.

    Raises:
        RecipeError: If no array has a name that begins so, or nothing is left to train.
    """
    parts, structure = parts_of(model)
    for part in frozen:
        if not any(leaf.belongs_to(part) for leaf in parts):
            known = _beginnings([leaf.name for leaf in parts])
            raise RecipeError(
                f"A frozen part must be a part of the model; got {part!r} (schedule.phases, "
                f"freeze). {nearest(part, known)}"
            )
    trained = [leaf.is_array and not any(map(leaf.belongs_to, frozen)) for leaf in parts]
    if not any(one and leaf.is_trained for one, leaf in zip(trained, parts, strict=True)):
        raise RecipeError(
            f"A phase must train a part of the model; got all of it frozen by {list(frozen)} "
            "(schedule.phases, freeze). Freeze less."
        )
    found: PyTree[bool] = jax.tree_util.tree_unflatten(structure, trained)
    return found


def _beginnings(names: list[str]) -> set[str]:
    split = [name.split(".") for name in names]
    return {".".join(words[:end]) for words in split for end in range(1, len(words) + 1)}
