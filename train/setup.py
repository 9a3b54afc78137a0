"""What a training needs before its first step: data, model, objective, optimiser."""

import math
from collections.abc import Callable
from dataclasses import dataclass

import jax.random as jr
import optax

from hypermagnetics.data import ArrayName, BatchSchedule, Dataset, Split, verify_split
from hypermagnetics.errors import DatasetError
from hypermagnetics.models import Model, ModelInputs, Scales, build_model
from hypermagnetics.train.config import TrainingRecipe
from hypermagnetics.train.objective import Objective
from hypermagnetics.train.optimiser import learning_rate, make_optimiser


@dataclass(frozen=True)
class Setup:
    """All parts of a training, made from recipe and dataset alone."""

    recipe: TrainingRecipe
    dataset: Dataset
    train: Split
    valid: Split
    schedule: BatchSchedule
    objective: Objective
    learning_rate: optax.Schedule
    optimiser: optax.GradientTransformation

    def new_model(self) -> Model:
        """The model with its initial parameters."""
        return build_model(
            self.recipe.model,
            ModelInputs(
                dim=self.train.layout.dim,
                source_size=self.train.layout.source_size,
                scales=_scales(self.train),
            ),
            jr.key(self.recipe.seed),
        )

    @property
    def samples_per_step(self) -> int:
        """Samples of a full batch."""
        return self.recipe.data.blocks_per_batch * self.train.layout.samples_per_grid


def make_setup(recipe: TrainingRecipe, dataset: Dataset, advance: Callable[[int], None]) -> Setup:
    """Prepare a training.

    Args:
        recipe: What to do.
        dataset: What with.
        advance: Called with the bytes of each file that was checked.

    Returns:
        The parts.

    Raises:
        DatasetError: If a split does not exist, its bytes are not those that were written, or it
            holds nothing but zeros.
    """
    train, valid = dataset.split(recipe.data.train), dataset.split(recipe.data.valid)
    if recipe.data.check == "all":
        for split in (train, valid):
            verify_split(split, advance)
    for name in ("sources", "grid", "potential", "field"):
        _refuse_nothing_but_zeros(train, name)
    field = train.statistics("field")
    potential = train.statistics("potential")
    rate = learning_rate(recipe.schedule)
    return Setup(
        recipe=recipe,
        dataset=dataset,
        train=train,
        valid=valid,
        schedule=BatchSchedule(
            num_blocks=train.layout.num_blocks,
            blocks_per_batch=recipe.data.blocks_per_batch,
            seed=recipe.seed,
            num_points=train.layout.num_points,
            points_per_step=recipe.data.points_per_step,
        ),
        objective=Objective(
            recipe.objective, _rms(potential.mean, potential.std), _rms(field.mean, field.std)
        ),
        learning_rate=rate,
        optimiser=make_optimiser(recipe.optimiser, rate),
    )


def _refuse_nothing_but_zeros(split: Split, name: ArrayName) -> None:
    found = split.statistics(name)
    # The columns of the sources begin with the moments.
    width = split.layout.dim if name == "sources" else len(found.mean)
    if not _rms(found.mean[:width], found.std[:width]) > 0:
        raise DatasetError(
            f"{name} must differ from zero somewhere to be learned from; got zeros only (split "
            f"{split.name!r} of {split.directory}). Train on another split or dataset."
        )


def _scales(split: Split) -> Scales:
    """Root mean squares of the coordinates of the points, of the moments and of the potential."""
    dim = split.layout.dim
    grid, sources = split.statistics("grid"), split.statistics("sources")
    potential = split.statistics("potential")
    return Scales(
        length=_rms(grid.mean, grid.std) / math.sqrt(dim),
        moment=_rms(sources.mean[:dim], sources.std[:dim]) / math.sqrt(dim),
        potential=_rms(potential.mean, potential.std),
    )


def _rms(mean: tuple[float, ...], std: tuple[float, ...]) -> float:
    """Root mean square of the norm of a vector, from the moments of its components."""
    return math.sqrt(sum(m * m + s * s for m, s in zip(mean, std, strict=True)))
