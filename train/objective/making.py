"""Objectives from recipes, and the check of splits that spectral terms need."""

from collections.abc import Mapping, Sequence

from hypermagnetics.data import Split
from hypermagnetics.errors import RecipeError
from hypermagnetics.sources import SourceColumns
from hypermagnetics.train.config import DataConfig, ObjectiveConfig, RegionsConfig
from hypermagnetics.train.losses import (
    MeanOverPoints,
    PointLoss,
    SampleLoss,
    ShippedLoss,
    Spectral,
    UserLoss,
)
from hypermagnetics.train.objective.objective import Objective
from hypermagnetics.train.objective.regions import RegionWeights
from hypermagnetics.train.objective.term import Term


def make_objective(
    config: ObjectiveConfig,
    potential_rms: float,
    field_rms: float,
    user_losses: Mapping[str, PointLoss],
    columns: SourceColumns,
) -> Objective:
    """Make the objective of a recipe.

    Args:
        config: Section of the recipe.
        potential_rms: Root mean square of the potential [A].
        field_rms: Root mean square of the norm of the field [A/m].
        user_losses: The functions of a user that the config names.
        columns: Columns of the source tables.

    Returns:
        The objective.
    """
    rms = {"potential": potential_rms, "field": field_rms}
    terms = {}
    for name, term in config.terms.items():
        loss = _sample_loss(config.loss_of(name), user_losses, columns.dim)
        terms[name] = Term(term.of, loss, term.weight, rms[term.of], _regions(term.regions))
    return Objective(terms, columns)


def _sample_loss(
    loss: ShippedLoss | UserLoss, user_losses: Mapping[str, PointLoss], dim: int
) -> SampleLoss:
    if isinstance(loss, UserLoss):
        return MeanOverPoints(user_losses[loss.kind])
    return loss.on_samples(dim)


def _regions(config: RegionsConfig | None) -> RegionWeights | None:
    return None if config is None else RegionWeights(config.inside, config.near, config.beyond)


def check_spectral(objective: ObjectiveConfig, data: DataConfig, splits: Sequence[Split]) -> None:
    """Check that every step sees all points of a regular grid, if a term is spectral.

    Args:
        objective: Objective.
        data: Mode of reading.
        splits: The splits that are read.

    Raises:
        RecipeError: If a term is spectral and points are random, or not all are looked at.
    """
    terms = [name for name in objective.terms if isinstance(objective.loss_of(name), Spectral)]
    if not terms:
        return
    where = f"objective.terms.{terms[0]}"
    rule = "A spectral term must have all points of a regular grid in each step"
    for split in splits:
        if split.layout.grid_shape is None:
            raise RecipeError(
                f"{rule}; got points of another kind ({where}, split {split.name!r} of "
                f"{split.directory}). Take another loss, or a dataset on a regular grid."
            )
    if data.crop is not None:
        raise RecipeError(f"{rule}; got crops ({where}, data.crop). Leave data.crop out.")
    points = splits[0].layout.num_points
    if data.points_per_step is not None and data.points_per_step < points:
        raise RecipeError(
            f"{rule}; got {data.points_per_step} of {points} ({where}, data.points_per_step). "
            "Set data.points_per_step to null."
        )
