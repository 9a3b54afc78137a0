"""Inputs of a model of sources, from the training split of its dataset."""

import jax.numpy as jnp
import numpy as np

from hypermagnetics.data import ArrayName, Dataset, Split
from hypermagnetics.errors import DatasetError
from hypermagnetics.models import ModelInputs, TrainedRange
from hypermagnetics.models.inputs import refuse_exact_pairs
from hypermagnetics.shapes import Points, SourceTable
from hypermagnetics.table import APPLIED
from hypermagnetics.train.config import TrainingRecipe
from hypermagnetics.train.scales import Normalisation, scales_of

_EXAMPLES = 1 << 16
"""Sources and points available to a model before the first step."""


def _refuse_nothing_but_zeros(split: Split, name: ArrayName) -> None:
    found = split.statistics(name)
    places = tuple(range(len(found.mean)))
    if name == "sources":  # whose columns begin with the moments
        applied = [split.column_names.index(each) for each in APPLIED if each in split.column_names]
        places = (*range(split.layout.dim), *applied)
    if not any((found.mean[place], found.std[place]) != (0, 0) for place in places):
        raise DatasetError(
            f"{name} must differ from zero somewhere to be learned from; got zeros only (split "
            f"{split.name!r} of {split.directory}). Train on another split or dataset."
        )


def inputs_of(
    recipe: TrainingRecipe, dataset: Dataset, normalisation: Normalisation | None
) -> ModelInputs:
    """Inputs of a model for the sources of a dataset.

    Args:
        recipe: The recipe.
        dataset: The dataset.
        normalisation: A user's function that makes the scales; None if they are shipped.

    Returns:
        Columns, scales, and the ranges of the training split.

    Raises:
        RecipeError: If exact values of pairs are wanted of soft bodies.
        DatasetError: If the training split does not exist or holds nothing but zeros, or its
            sources have columns that no model can read.
    """
    train, config = dataset.split(recipe.data.train), recipe.normalisation
    outside = recipe.for_bodies(dataset.columns).outside
    assert outside is not None, "it is filled in"
    if dataset.columns.is_soft:
        refuse_exact_pairs(outside)
    for name in ("sources", "grid", "potential", "field"):
        _refuse_nothing_but_zeros(train, name)
    return ModelInputs(
        columns=dataset.columns,
        trained=_trained(train),
        scales=scales_of(train, config.scales, normalisation),
        values=config.values,
        moment=config.moment,
        outside=outside,
    )


def _trained(split: Split) -> TrainedRange:
    """Ranges of the values of the training split."""
    sources, grid = split.statistics("sources"), split.statistics("grid")
    return TrainedRange(
        sources=tuple(zip(sources.min, sources.max, strict=True)),
        points=tuple(zip(grid.min, grid.max, strict=True)),
    )


def examples_of(split: Split) -> tuple[SourceTable, Points]:
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
