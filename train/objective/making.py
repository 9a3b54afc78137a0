"""Objectives from recipes."""

from collections.abc import Mapping

from hypermagnetics.sources import SourceColumns
from hypermagnetics.train.config import LossConfig, ObjectiveConfig, RegionsConfig
from hypermagnetics.train.objective.huber import Huber
from hypermagnetics.train.objective.mse import mse
from hypermagnetics.train.objective.objective import Objective
from hypermagnetics.train.objective.point_loss import PointLoss
from hypermagnetics.train.objective.regions import RegionWeights
from hypermagnetics.train.objective.relative import Relative
from hypermagnetics.train.objective.sample_loss import MeanOverPoints, SampleLoss
from hypermagnetics.train.objective.sample_relative import SampleRelative
from hypermagnetics.train.objective.spectral import Spectral
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
    config: LossConfig, user_losses: Mapping[str, PointLoss], columns: SourceColumns | None
) -> SampleLoss:
    match config.loss:
        case "huber":
            return MeanOverPoints(Huber(config.delta))
        case "mse":
            return MeanOverPoints(mse)
        case "relative":
            return MeanOverPoints(Relative(config.power, config.floor))
        case "sample-relative":
            return SampleRelative(config.floor)
        case "spectral":
            assert columns is not None, "the grid has their dimension"
            return Spectral(config.order, columns.dim)
        case name:
            return MeanOverPoints(user_losses[name])


def _regions(config: RegionsConfig | None) -> RegionWeights | None:
    return None if config is None else RegionWeights(config.inside, config.near, config.beyond)
