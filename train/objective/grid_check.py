"""The check of splits that spectral terms need."""

from collections.abc import Sequence

from hypermagnetics.data import Split
from hypermagnetics.errors import RecipeError
from hypermagnetics.train.config import DataConfig, ObjectiveConfig
from hypermagnetics.train.losses import Spectral


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
