"""Objectives from recipes."""

from collections.abc import Mapping

from hypermagnetics.sources import SourceColumns
from hypermagnetics.train.config import ObjectiveConfig, RegionsConfig
from hypermagnetics.train.losses import (
    MeanOverPoints,
    PointLoss,
    SampleLoss,
    ShippedLoss,
    UserLoss,
)
from hypermagnetics.train.objective.objective import Objective
from hypermagnetics.train.objective.regions import RegionWeights
from hypermagnetics.train.objective.term import Term


def make_objective(
    config: ObjectiveConfig,
    potential_rms: float,
    field_rms: float,
    user_losses: Mapping[str, PointLoss] | None = None,
    columns: SourceColumns | None = None,
) -> Objective:
    """Make the objective of a recipe.

    Args:
        config: Section of the recipe.
        potential_rms: Root mean square of the potential [A].
        field_rms: Root mean square of the norm of the field [A/m].
        user_losses: The functions of a user that the config names.
        columns: Columns of the source tables. They may be left out if no term is
            spectral or weighs regions.

    Returns:
        The objective.
    """
    rms = {"potential": potential_rms, "field": field_rms}
    terms = {}
    for name, term in config.terms.items():
        loss = _sample_loss(config.loss_of(name), user_losses or {}, columns)
        terms[name] = Term(term.of, loss, term.weight, rms[term.of], _regions(term.regions))
    return Objective(terms, columns)


def _sample_loss(
    loss: ShippedLoss | UserLoss,
    user_losses: Mapping[str, PointLoss],
    columns: SourceColumns | None,
) -> SampleLoss:
    if isinstance(loss, UserLoss):
        return MeanOverPoints(user_losses[loss.kind])
    assert columns is not None or loss.weighs_points, "a grid has the dimension of its sources"
    return loss.on_samples(2 if columns is None else columns.dim)


def _regions(config: RegionsConfig | None) -> RegionWeights | None:
    return None if config is None else RegionWeights(config.inside, config.near, config.beyond)
