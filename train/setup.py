"""What a training needs before its first step: data, model, objective, optimiser."""

import math
from collections.abc import Callable
from dataclasses import dataclass

import jax.numpy as jnp
import jax.random as jr
import numpy as np
import optax
from pydantic import ValidationError

from hypermagnetics.data import (
    ArrayName,
    BatchSchedule,
    Crops,
    Dataset,
    Division,
    Manifest,
    Split,
    verify_split,
)
from hypermagnetics.errors import DatasetError, RecipeError
from hypermagnetics.models import READABLE, Model, ModelInputs, Scales, TrainedRange, build_model
from hypermagnetics.shapes import Points, SourceTable
from hypermagnetics.sources import BODIES
from hypermagnetics.train.config import TrainingRecipe
from hypermagnetics.train.objective import Objective
from hypermagnetics.train.optimiser import learning_rate, make_optimiser
from hypermagnetics.train.placement import Placement, choose_placement

_EXAMPLES = 1 << 16
"""Sources and points that a model may look at before the first step."""


@dataclass(frozen=True)
class Setup:
    """All parts of a training, made from recipe and dataset alone."""

    recipe: TrainingRecipe
    dataset: Dataset
    train: Split
    valid: Split
    inputs: ModelInputs
    schedule: BatchSchedule
    placement: Placement
    objective: Objective
    learning_rate: optax.Schedule
    optimiser: optax.GradientTransformation

    def new_model(self) -> Model:
        """The model with its initial parameters."""
        key = jr.key(self.recipe.seed)
        model = build_model(self.recipe.model, self.inputs, key)
        return model.fitted(*_examples(self.train), jr.fold_in(key, 1))

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
            holds nothing but zeros, or its sources have columns that no model can read.
        RecipeError: If crops are asked for that the grid has not.
        RunError: If the split is to lie on the device and does not fit.
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
        inputs=_inputs(dataset.manifest, train),
        schedule=_schedule(recipe, train),
        placement=choose_placement(recipe.data, train),
        objective=Objective(
            recipe.objective, _rms(potential.mean, potential.std), _rms(field.mean, field.std)
        ),
        learning_rate=rate,
        optimiser=make_optimiser(recipe.optimiser, rate),
    )


def _schedule(recipe: TrainingRecipe, train: Split) -> BatchSchedule:
    config, layout = recipe.data, train.layout
    crops = None
    if config.crop is not None:
        if layout.grid_shape is None:
            raise RecipeError(
                "data.crop must only be given for a split on a regular grid; got points of another "
                f"kind (split {train.name!r} of {train.directory}). Leave it out, or take "
                "data.points_per_step."
            )
        crops = Crops(layout.grid_shape, config.crop, layout.dim)
    division = Division(layout.blocks_per_shard, config.div_shuffle_dist)
    return BatchSchedule(
        num_blocks=layout.num_blocks,
        blocks_per_batch=config.blocks_per_batch,
        seed=recipe.seed,
        num_points=layout.num_points,
        points_per_step=config.points_per_step,
        crops=crops,
        division=division if config.div_data else None,
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


def _inputs(manifest: Manifest, split: Split) -> ModelInputs:
    """What a model reads of the sources of a dataset."""
    try:
        return ModelInputs(
            dim=split.layout.dim,
            source_size=split.layout.source_size,
            columns=manifest.columns,
            bodies=tuple(body for body in BODIES if body in manifest.bodies),
            constants=tuple(manifest.constants.items()),
            trained=_trained(split),
            scales=_scales(split),
        )
    except ValidationError as error:
        raise DatasetError(
            f"The columns of the sources must be moment and position, then some of "
            f"{', '.join(READABLE)}, for a model to read them; got {', '.join(manifest.columns)} "
            f"({split.directory}). Train with a release of hypermagnetics that knows them."
        ) from error


def _trained(split: Split) -> TrainedRange:
    """What the training split holds."""
    sources, grid = split.statistics("sources"), split.statistics("grid")
    return TrainedRange(
        sources=tuple(zip(sources.min, sources.max, strict=True)),
        points=tuple(zip(grid.min, grid.max, strict=True)),
    )


def _examples(split: Split) -> tuple[SourceTable, Points]:
    """Sources, one a row, and points, from the first blocks of a split."""
    blocks, sources, points = split.layout.num_blocks, [], []
    for index in range(blocks):
        block = split.block(index)
        used = np.arange(block.sources.shape[1]) < block.num_sources[:, None]
        sources.append(block.sources[used])
        points.append(block.grid)
        if min(sum(map(len, sources)), sum(map(len, points))) >= _EXAMPLES:
            break
    return jnp.asarray(np.concatenate(sources)), jnp.asarray(np.concatenate(points))


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
