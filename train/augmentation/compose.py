"""Symmetries of a recipe, applied one after another, at random in each step."""

import jax.random as jr
from jaxtyping import Array, Int

from hypermagnetics.errors import RecipeError
from hypermagnetics.models import ModelInputs
from hypermagnetics.train.augmentation.reflection import REFLECTION
from hypermagnetics.train.augmentation.rotation import QUARTER_TURN, ROTATION
from hypermagnetics.train.augmentation.scaling import MOMENT_SCALING, SCALING
from hypermagnetics.train.augmentation.symmetry import Symmetry
from hypermagnetics.train.augmentation.time_reversal import TIME_REVERSAL
from hypermagnetics.train.config import SymmetryName
from hypermagnetics.train.devices import AnyDeviceBatch, Augmentation, DeviceBatch, unchanged

SYMMETRIES: dict[SymmetryName, Symmetry] = {
    "rotation": ROTATION,
    "reflection": REFLECTION,
    "time-reversal": TIME_REVERSAL,
    "scaling": SCALING,
    "moment-scaling": MOMENT_SCALING,
    "quarter-turn": QUARTER_TURN,
}
"""The position of a name is part of its random key: append, never reorder."""

_STREAM = 2
"""Random stream of the seed; 0 and 1 are those of the model and its fit."""


def make_augmentation(
    names: tuple[SymmetryName, ...], inputs: ModelInputs, seed: int, where: str
) -> Augmentation:
    """Augmentation of each step, a function of seed and step alone.

    Args:
        names: Symmetries, in the order in which they are applied.
        inputs: Columns of the sources.
        seed: Seed of the training.
        where: The dataset, for messages.

    Returns:
        Augmentation of a batch; none without names.

    Raises:
        RecipeError: If a source table of these columns cannot hold the result of a symmetry.
    """
    if not names:
        return unchanged
    columns = inputs.columns
    for name in names:
        if lacking := SYMMETRIES[name].obstacle(columns):
            raise RecipeError(
                f"data.augment must name symmetries that the source table can follow; got "
                f"{name!r}, which needs {lacking} ({where}). Leave it out, or generate a dataset "
                "with that."
            )
    places = {name: place for place, name in enumerate(SYMMETRIES)}

    def augment(batch: AnyDeviceBatch, number: Int[Array, ""]) -> AnyDeviceBatch:
        assert isinstance(batch, DeviceBatch), "symmetries are of sources"
        key = jr.fold_in(jr.fold_in(jr.key(seed), _STREAM), number)
        for name in names:
            batch = SYMMETRIES[name].apply(columns, batch, jr.fold_in(key, places[name]))
        return batch

    return augment
